"""Probes: real runs at one rate, judged together."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from modeldyno.api.load.measuring import measure
from modeldyno.api.load.questions.ask import Prepared, Questions
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.bench.capacity import Plan
from modeldyno.clock import Clock
from modeldyno.loadgen.recorder import read_run
from modeldyno.protocols import Progress
from modeldyno.records.capacity import Probe
from modeldyno.records.objective import Objective
from modeldyno.reports.sizing import PROBE_WORDS, PURPOSE_WORDS
from modeldyno.stats.probes import ProbeRun, joined_rows, judge_probe
from modeldyno.stats.summary import summarise
from modeldyno.units import format_rate

PROBES = "probes"


@dataclass(slots=True)
class StageProgress:
    """A `protocols.Progress` for the runs inside a longer search: the bar is the search's, the words are the run's."""

    outer: Progress
    clock: Clock
    words: str = ""
    started_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self.started_ns = self.clock.now_ns()

    def start(self, text: str, total: float | None = None) -> None:  # noqa: ARG002 - the protocol's signature
        """A run begins: the search's bar goes on."""
        self.advance(0)

    def advance(self, done: float, text: str | None = None) -> None:  # noqa: ARG002 - the protocol's signature
        """The bar shows the time of the search, for a run's own share of it says little."""
        self.outer.advance((self.clock.now_ns() - self.started_ns) / 1e9, self.words)

    def say(self, line: str) -> None:
        """See `Progress`."""
        self.outer.say(line)

    def end(self) -> None:
        """A run is over, the search is not."""


@dataclass(frozen=True, slots=True)
class Prober:
    """Makes the runs of a search for capacity; each is kept under `work`."""

    url: str
    questions: Questions
    prepared: Prepared
    objectives: Sequence[Objective]
    shape: Shape
    work: Path
    server_pids: Sequence[int]
    progress: StageProgress
    clock: Clock

    def __call__(self, plan: Plan) -> Probe:
        """Run, and judge together with the runs that this one prolongs.

        Raises:
            KeyboardInterrupt: the user stopped the run; its directory is kept, but nothing is judged on it.
        """
        kept = plan.earlier.runs if plan.earlier is not None else ()
        if plan.earlier is not None and plan.earlier.verdict.answer == "client_limited":
            kept = kept[:-1]  # a run in which the client was the limit says nothing about the service
        number = self._next_number()
        directory = self.work / PROBES / f"{number:04d}-{plan.rate_per_s:.6g}-per-s"
        # Another seed for each run, or a prolonged probe would measure the same arrivals again.
        shape = replace(self.shape, duration_ns=plan.duration_ns, seed=self.shape.seed + number)
        self.progress.words = f"probe {number}: {format_rate(plan.rate_per_s)}, {PURPOSE_WORDS[plan.purpose]}"
        run, _ = measure(
            workload_of(
                self.url,
                self.questions.model,
                plan.rate_per_s,
                shape,
                protocol=self.questions.protocol,
                kinds=self.prepared.kinds,
                prompting=self.prepared.prompting,
            ),
            self.prepared.requests,
            self.objectives,
            directory=directory,
            server_pids=self.server_pids,
            progress=self.progress,
            clock=self.clock,
            wiring=self.questions.wired(self.prepared),
        )
        if run.state == "interrupted":
            raise KeyboardInterrupt
        names = (*kept, str(directory.relative_to(self.work)))
        probe = self._judged(plan, names)
        self.progress.say(probe_line(probe))
        return probe

    def _next_number(self) -> int:
        taken = [int(path.name[:4]) for path in (self.work / PROBES).glob("[0-9][0-9][0-9][0-9]-*")]
        return max(taken, default=0) + 1

    def _judged(self, plan: Plan, names: tuple[str, ...]) -> Probe:
        runs = [self._read(name) for name in names]
        verdict = judge_probe(runs, self.objectives)
        latest = runs[-1]
        summary = summarise(joined_rows(runs), latest.workload, self.objectives)
        before = plan.earlier.disturbed if plan.earlier is not None else 0
        return Probe(
            rate_per_s=plan.rate_per_s,
            purpose=plan.purpose,
            verdict=verdict,
            runs=names,
            disturbed=before + (verdict.answer == "client_limited"),
            duration_ns=round(sum(run.workload.requests for run in runs) / plan.rate_per_s * 1e9),
            requests=summary.requests,
            answered=summary.answered,
            rate_delivered_per_s=summary.rate_delivered_per_s,
            client_cpu_fraction=latest.effective.client_cpu_fraction,
            response_time=summary.response_time,
            measured_at=self.clock.wall_time(),
        )

    def _read(self, name: str) -> ProbeRun:
        run, requests = read_run(self.work / name)
        assert run.effective is not None  # noqa: S101 - only concluded runs are among a probe's
        return ProbeRun(requests, run.requested, run.effective)


def probe_line(probe: Probe) -> str:
    """`     400/s  pass            p99 12.1 ms [11.2, 13.4] over ...`: the first reason, for the log of a search."""
    answer = PROBE_WORDS[probe.verdict.answer]
    return f"{format_rate(probe.rate_per_s):>10}  {answer:<14}  {probe.verdict.reason.split('; ', 1)[0]}"


def forget_probes(work: Path) -> None:
    """Remove the runs of an earlier search."""
    shutil.rmtree(work / PROBES, ignore_errors=True)
