"""`capacity`: the highest rate at which a server, or a bundle, meets its objectives."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from modeldyno import __version__
from modeldyno.api.load.probing import Prober, StageProgress, forget_probes
from modeldyno.api.load.questions.ask import Ask, Prepared
from modeldyno.api.load.questions.table import questions_for
from modeldyno.api.load.token_objectives import check_token_objectives
from modeldyno.api.load.workloads import Shape, sizes_of, workload_of
from modeldyno.api.loading import speed_objectives
from modeldyno.api.reporting import CAPACITY, page_place
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.bench.capacity import Rules, SearchEnd, next_plan, search_capacity
from modeldyno.clock import Clock, SystemClock
from modeldyno.deployment.bundle import MANIFEST, open_bundle
from modeldyno.errors import ObjectiveError, OutputError, UsageError
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Progress, Silent
from modeldyno.records.capacity import Capacity, CapacitySettings, Probe
from modeldyno.records.environment import Environment
from modeldyno.records.files import digest_bytes, digest_file, read_record, write_atomically, write_record
from modeldyno.records.objective import TOKEN_RATE, Objective
from modeldyno.reports.page.capacity_page import capacity_page
from modeldyno.stats.capacity import concluded
from modeldyno.stats.probes import requests_needed

_RUN_OVERHEAD_NS = 1_500_000_000
"""Of a run beside warm-up and measured phase: starting the sender, the last answers, judging."""


@dataclass(frozen=True, slots=True)
class _Target:
    """A server that answers."""

    url: str
    pids: tuple[int, ...]


def capacity(  # noqa: PLR0913 - keyword-only, each an option of the verb
    target: str | PathLike[str],
    *,
    slo: str,
    ask: Ask | None = None,
    settings: CapacitySettings | None = None,
    shape: Shape | None = None,
    out: str | PathLike[str] = "out",
    force: bool = False,
    server_pids: Sequence[int] = (),
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Capacity:
    """Find the highest rate of an open-loop Poisson load at which a server meets its objectives.

    Under `out` it leaves `NAME.capacity` with `capacity.json` and every run, and the page `NAME.capacity.html`. Stopped
    (Ctrl-C, killed, or out of budget), the same call goes on with the probes that are done.

    Args:
        target: base URL, or the directory of a bundle, which is then served in a process of its own.
        slo: objectives that a rate must meet, such as `"p99<50ms, error_rate<0.1%"`; at least one limit.
        ask: the protocol, what is sent, and keys and certificates.
        settings: where to look and for how long.
        shape: connections, workers, rows and the rest of each run; its duration is not used.
        out: directory for what is written.
        force: replace an earlier search of this name.
        server_pids: processes of the server, when it runs here and an objective limits its memory.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Raises:
        TargetError: the server cannot be reached or does not offer the model.
        ObjectiveError: no limit is given, or one that says nothing about the highest rate.
        OutputError: another search is kept under this name, or it cannot be written.
    """
    progress, clock = progress or Silent(), clock or SystemClock()
    settings, shape = settings or CapacitySettings(), shape or Shape()
    _check(settings, shape)
    objectives = _limits(slo, is_ours=bool(server_pids) or _is_bundle(target))
    with _served(target, Path(out), clock, server_pids) as served:
        ask = ask or Ask()
        questions = questions_for(served.url, ask)
        check_token_objectives(objectives, questions.protocol, ask.prompts)
        name = questions.model
        first = workload_of(served.url, name, settings.from_per_s, shape, protocol=questions.protocol)
        prepared = questions.make(sizes_of(first), shape.seed)
        fresh = Capacity(
            tool_version=__version__,
            fingerprint="",
            started_at=clock.wall_time(),
            state="running",
            elapsed_ns=0,
            environment=capture_environment(),
            target=str(target),
            model=name,
            data=prepared.description,
            objectives=objectives,
            settings=settings,
        )
        fresh = replace(fresh, fingerprint=_fingerprint(fresh, prepared, shape))
        work = Path(out) / f"{Path(name).name}.capacity"
        rules = Rules(settings, requests_needed(objectives), overhead_ns=shape.warmup_ns + _RUN_OVERHEAD_NS)
        record = _taken_over(work, fresh, rules, progress, force=force)
        prober = Prober(
            url=served.url,
            questions=questions,
            prepared=prepared,
            objectives=objectives,
            shape=shape,
            work=work,
            server_pids=served.pids,
            progress=StageProgress(progress, clock),
            clock=clock,
        )
        return _search(record, prober, rules)


def _search(record: Capacity, prober: Prober, rules: Rules) -> Capacity:
    clock, path = prober.clock, prober.work / CAPACITY
    started_ns = clock.now_ns()
    write_record(path, record)

    def now(probes: tuple[Probe, ...]) -> Capacity:
        return replace(record, probes=probes, elapsed_ns=record.elapsed_ns + clock.now_ns() - started_ns)

    prober.progress.outer.start("looking for the capacity", total=rules.settings.budget_ns / 1e9)
    try:
        end = search_capacity(
            prober,
            rules,
            earlier=record.probes,
            clock=clock,
            deadline_ns=started_ns + rules.settings.budget_ns,
            save=lambda probes: write_record(path, now(probes)),
        )
    finally:
        prober.progress.outer.end()
    return _delivered(concluded(now(end.probes), end.why), prober.work, end)


def _delivered(record: Capacity, work: Path, end: SearchEnd) -> Capacity:
    page = page_place(work)
    record = replace(record, report=str(page), state=_state(record, end))
    write_record(work / CAPACITY, record)
    write_atomically(page, capacity_page(record).encode())
    return record


def _state(record: Capacity, end: SearchEnd) -> Literal["complete", "interrupted"]:
    is_answered = end.why == "settled" or record.outcome in ("found", "ceiling")
    return "complete" if is_answered else "interrupted"


def _check(settings: CapacitySettings, shape: Shape) -> None:
    if shape.concurrency or shape.arrivals not in ("poisson", "constant", "gamma"):
        raise UsageError(
            "a capacity is searched for with an open loop at one rate",
            why="users who wait for their answer, and rates that change, have no highest rate",
        )
    if not 0.005 <= settings.precision <= 1:
        raise UsageError(
            f"a precision of {settings.precision:g} cannot be searched for", hint="for example --precision 5%"
        )
    if settings.up_to_per_s is not None and settings.up_to_per_s < settings.from_per_s:
        raise UsageError(
            f"--up-to {settings.up_to_per_s:g} is below --from {settings.from_per_s:g}",
            hint="start lower, or allow a higher rate",
        )
    if not math.isfinite(settings.from_per_s) or settings.from_per_s <= 0:
        raise UsageError(f"a search cannot start at {settings.from_per_s:g}/s")
    if not 0 < settings.probe_ns <= settings.longest_probe_ns:
        raise UsageError(
            f"the longest probe ({settings.longest_probe_ns / 1e9:g} s) is shorter than the first "
            f"({settings.probe_ns / 1e9:g} s)",
            hint="raise --longest-probe or lower --probe",
        )
    if settings.budget_ns <= 0:
        raise UsageError("the budget must be above zero", hint="for example --budget 120s")


def _limits(slo: str, *, is_ours: bool) -> tuple[Objective, ...]:
    """The objectives, each of which a higher rate can break."""
    objectives = speed_objectives(slo)
    if not any(one.is_limit for one in objectives):
        raise ObjectiveError(
            "capacity needs a limit to look for",
            why="without one, every rate is as good as any other",
            hint='for example --slo "p99<50ms, error_rate<0.1%"',
        )
    for one in objectives:
        if one.metric in ("throughput", TOKEN_RATE):
            raise ObjectiveError(
                f"capacity cannot be judged by {one.text!r}",
                why="a rate is what is looked for: low rates of requests would fail it and high ones pass",
                hint="leave it out and compare the found rate with it",
            )
        if one.metric.startswith("itl_"):
            raise ObjectiveError(
                f"capacity cannot be judged by {one.text!r}",
                why="it looks at requests, not at every gap between their tokens",
                hint=f"limit the time per token instead: {one.text.replace('itl', 'tpot', 1)}",
            )
        if one.metric == "memory" and not is_ours:
            raise ObjectiveError(
                f"{one.text!r} cannot be judged on a server that is not ours to look at",
                hint="name its process with --pid, or give the bundle's directory in place of the URL",
            )
    return objectives


def _is_bundle(target: str | PathLike[str]) -> bool:
    return "://" not in str(target)


@contextmanager
def _served(target: str | PathLike[str], out: Path, clock: Clock, server_pids: Sequence[int]) -> Iterator[_Target]:
    """The server at a URL, or one of ours for a bundle, ended with the context."""
    if not _is_bundle(target):
        yield _Target(str(target), tuple(server_pids))
        return
    bundle = open_bundle(Path(target))
    server = ServerProcess(
        "modeldyno",
        ["serve", str(target), "--port", "0", "--server-timing", "--json"],
        log=out / f"{bundle.name}.capacity" / "server.log",
        clock=clock,
    )
    with server:
        yield _Target(json.loads(server.first_line)["url"], (server.pid,))


def _fingerprint(record: Capacity, prepared: Prepared, shape: Shape) -> str:
    target = digest_file(Path(record.target) / MANIFEST) if _is_bundle(record.target) else record.target
    return digest_bytes(
        msgspec.json.encode(
            [
                target,
                record.model,
                [one.text for one in record.objectives],
                prepared.digest,
                shape.rows_per_request,
                shape.row_mix,
                shape.timeout_ns,
                shape.connections,
                shape.workers,
                *(("awake",) if shape.awake else ()),
                shape.seed,
                _machine(record.environment),
            ]
        )
    )


def _machine(environment: Environment) -> list[Any]:
    return [environment.cpu_model, environment.cores, environment.libraries]


def _taken_over(work: Path, fresh: Capacity, rules: Rules, progress: Progress, *, force: bool) -> Capacity:
    """The search in `work` when it is the same one and has something left to measure; else `fresh`.

    A finished one has something left when it is asked for more: a finer precision, longer probes, a higher ceiling.

    Raises:
        OutputError: a finished search, or one for something else, is kept there and `force` was not given.
    """
    path = work / CAPACITY
    if not path.is_file() or force:
        forget_probes(work)
        return fresh
    earlier = read_record(path, Capacity)
    probes = tuple(one for one in earlier.probes if all((work / name / "run.json").is_file() for name in one.runs))
    if earlier.fingerprint == fresh.fingerprint and next_plan(probes, rules) is not None:
        progress.say(f"going on with the search stopped earlier ({len(probes)} rates are done)")
        return replace(earlier, state="running", settings=fresh.settings, probes=probes, resumed=True)
    is_same = earlier.fingerprint == fresh.fingerprint
    kept = "a finished search" if is_same else "a search for something else (or on another machine)"
    raise OutputError(
        f"{work} holds {kept}",
        why="what was measured is never overwritten without being asked",
        hint="add --force to replace it, or choose another --out",
    )
