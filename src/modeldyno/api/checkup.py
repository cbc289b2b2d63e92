"""`doctor`: the state of this machine, the runtimes, and the floor of the instrument."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modeldyno import __version__
from modeldyno.api.load.lateness import measure_lateness
from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.questions.table import questions_for
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.api.profiled.peaks import peaks_of
from modeldyno.api.served.server_process import ServerProcess
from modeldyno.clock import Clock, SystemClock
from modeldyno.errors import ToolError
from modeldyno.loadgen.driver import run_load
from modeldyno.loadgen.load_result import LoadResult
from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from modeldyno.machine.environment import capture_environment
from modeldyno.machine.floors import FLOOR_PROTOCOLS, keep_floor
from modeldyno.protocols import Progress, Silent
from modeldyno.records.doctor import Checkup, SenderLateness
from modeldyno.records.environment import Environment
from modeldyno.records.peaks import Peaks
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Floor
from modeldyno.records.workload import ProtocolName
from modeldyno.runtimes.installed import describe_runtimes
from modeldyno.search.space import thread_shapes
from modeldyno.seeds import DEFAULT_SEED
from modeldyno.stats.quantiles import summarise_latency
from modeldyno.units import format_fraction

_SERVERS = {"http": "modeldyno.testing.null_server", "grpc": "modeldyno.testing.null_grpc_server"}
FLOOR_RATE_PER_S = 500.0
FLOOR_NS = 8_000_000_000
"""Long enough for a p99 also where neighbouring requests resemble each other."""
STEP_NS = 1_000_000_000
STEPS_PER_S = (1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 40_000)
TRIES = 3
ON_TIME_NS = 1_000_000
ON_TIME_SHARE = 0.999
_NOTED_STOLEN = 0.005


def doctor(
    *,
    floor: bool = True,
    protocols: Sequence[ProtocolName] = FLOOR_PROTOCOLS,
    peaks: bool = False,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Checkup:
    """Look at the machine, and measure what the load generator itself costs against a server that does nothing.

    The floors are kept in the user's cache, and later runs on this machine are judged against them.

    Args:
        floor: measure the instrument's floor, which takes about twenty seconds a protocol, and how late a sender is,
            which takes ten seconds.
        protocols: of these.
        peaks: measure what the machine computes and moves at most, against which `profile` holds operators; it takes
            some seconds, and is kept.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Raises:
        OutputError: the floor cannot be kept.
    """
    progress, clock = progress or Silent(), clock or SystemClock()
    environment = capture_environment()
    before = ProcessorTime.read()
    measured = _measure_floors(protocols, progress, clock) if floor else []
    lateness = _measure_lateness(environment, progress, clock) if floor else ()
    stolen = stolen_fraction(before, ProcessorTime.read()) if floor else None
    renewed = _renew_peaks(environment, progress, clock) if peaks else None
    for one in measured:
        kept = keep_floor(one, environment, clock.wall_time())
    if measured:
        progress.say(f"the floor is kept in {kept}; later runs on this machine are judged against it")
    return Checkup(
        tool_version=__version__,
        captured_at=clock.wall_time(),
        environment=environment,
        runtimes=describe_runtimes(),
        floors=tuple(measured),
        lateness=lateness,
        stolen_fraction=stolen,
        peaks=renewed,
        findings=(*findings(environment, measured[0] if measured else None), *steal_findings(stolen, lateness)),
    )


def _measure_lateness(environment: Environment, progress: Progress, clock: Clock) -> tuple[SenderLateness, ...]:
    with tempfile.TemporaryDirectory(prefix="dyno-doctor-") as name:
        return measure_lateness(Path(name), cores=environment.cores, progress=progress, clock=clock)


def _renew_peaks(environment: Environment, progress: Progress, clock: Clock) -> Peaks:
    """With one thread, with as many as there are cores, and the powers of two in between."""
    threads = sorted({count for count, instances in thread_shapes(environment.cores) if instances == 1})
    return peaks_of(environment, threads, renew=True, clock=clock, progress=progress)


def _measure_floors(protocols: Sequence[ProtocolName], progress: Progress, clock: Clock) -> list[Floor]:
    with tempfile.TemporaryDirectory(prefix="dyno-doctor-") as name:
        scratch = Path(name)
        with ExitStack() as stack:
            urls = {
                scheme: stack.enter_context(
                    ServerProcess(module, ["--port", "0"], log=scratch / f"{scheme}.log", clock=clock)
                ).first_line.strip()
                for scheme, module in _SERVERS.items()
            }
            return [_measure_floor(_Subject(one, urls), scratch / one, progress, clock) for one in protocols]


class _Subject(NamedTuple):
    """One protocol of the servers that do nothing."""

    protocol: ProtocolName
    urls: Mapping[str, str]
    """By scheme."""

    @property
    def url(self) -> str:
        if self.protocol == "null":
            return "null:"
        return self.urls["grpc" if self.protocol == "oip-grpc" else "http"]

    @property
    def ask(self) -> Ask:
        return Ask(protocol=self.protocol, model="null-json" if self.protocol == "oip-json" else "null")


def _measure_floor(subject: _Subject, scratch: Path, progress: Progress, clock: Clock) -> Floor:
    base = _load(subject, FLOOR_RATE_PER_S, FLOOR_NS, scratch / "floor", progress, clock)
    rows = _answered(base)
    if not len(rows):
        raise ToolError(
            f"the server that does nothing answered none of {len(base.requests):,} requests over {subject.protocol}"
        )
    highest = 0.0
    for rate in STEPS_PER_S:
        # A machine's own hiccup of some milliseconds spoils a step; what the instrument cannot do, it cannot
        # do in any try.
        if not any(
            _keeps_up(_load(subject, rate, STEP_NS, scratch / f"at-{rate}-{number}", progress, clock))
            for number in range(TRIES)
        ):
            break
        highest = float(rate)
    span_ns = max(1, int(rows["sent_ns"].max() - rows["sent_ns"].min()))
    return Floor(
        protocol=subject.protocol,
        rate_per_s=FLOOR_RATE_PER_S,
        response_time=summarise_latency(rows["done_ns"] - rows["planned_ns"]),
        lateness=summarise_latency(rows["sent_ns"] - rows["planned_ns"]),
        client_cpu_ns_per_request=base.effective.client_cpu_fraction * span_ns / len(rows),
        highest_rate_per_s=highest,
    )


def _load(
    subject: _Subject, rate: float, duration_ns: int, directory: Path, progress: Progress, clock: Clock
) -> LoadResult:
    questions = questions_for(subject.url, subject.ask)
    shape = Shape(duration_ns=duration_ns, warmup_ns=300_000_000, workers=1)
    prepared = questions.make((1,), DEFAULT_SEED)
    directory.mkdir(parents=True)
    return run_load(
        workload_of(subject.url, questions.model, rate, shape, protocol=questions.protocol),
        prepared.requests,
        run_directory=directory,
        clock=clock,
        progress=progress,
        wiring=questions.wired(prepared),
    )


def _answered(result: LoadResult) -> np.ndarray:
    rows = result.requests
    answered: np.ndarray = rows[rows["measured"] & (rows["outcome"] == Outcome.OK)]
    return answered


def _keeps_up(result: LoadResult) -> bool:
    """Whether nearly all were sent within a millisecond of their moment and answered."""
    measured = result.requests[result.requests["measured"]]
    on_time = (measured["outcome"] == Outcome.OK) & (measured["sent_ns"] - measured["planned_ns"] < ON_TIME_NS)
    return bool(on_time.mean() >= ON_TIME_SHARE)


def findings(environment: Environment, floor: Floor | None) -> list[str]:
    """What would disturb a measurement here, and what to do about it."""
    found = []
    if environment.load_average_1min > 0.5 * environment.cores:
        found.append(
            f"the machine is busy: load average {environment.load_average_1min} on {environment.cores} cores; "
            "stop what else runs before measuring"
        )
    if environment.cores < 2:
        found.append("one core only: client and server disturb each other; measure from another machine")
    if environment.cores_quota is not None and environment.cores_quota < environment.cores_affinity:
        found.append(
            f"the cgroup grants {environment.cores_quota:g} cores of {environment.cores_affinity}: "
            "beyond that, everything is throttled in slices of 100 ms, which shows in p99"
        )
    if environment.governor not in (None, "performance"):
        found.append(
            f"the frequency governor is {environment.governor!r}: clocks change while you measure; "
            "set it with: cpupower frequency-set -g performance"
        )
    if not {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"} & set(environment.cpu_flags):
        found.append("no int8 instructions (VNNI, AMX, dot product): int8 models will gain little here")
    late = floor.lateness.p99_ns if floor is not None else None
    if late is not None and late.value > ON_TIME_NS:
        found.append(
            f"the load generator is late by {late.value / 1e6:.1f} ms at p99 even against a server that does nothing: "
            "latencies below that cannot be told here"
        )
    return found


def steal_findings(stolen: float | None, lateness: Sequence[SenderLateness]) -> list[str]:
    """What the hypervisor takes, and whether a sender that stays awake is spared.

    Args:
        stolen: share of the processor time while the instrument was measured; None when it is not known.
        lateness: of a sender that sleeps and of one that stays awake; empty when they are not known.
    """
    found = []
    if stolen is not None and stolen > _NOTED_STOLEN:
        found.append(
            f"the hypervisor gave {format_fraction(stolen)} of this machine's processor time to others: whatever "
            "runs here stalls for milliseconds now and then, and no program on it can tell; measure in turns "
            "(dyno compare), believe no single p99, or take a machine with cores of its own"
        )
    shares = {one.awake: one.late_fraction for one in lateness}
    asleep, awake = shares.get(False, 0.0), shares.get(True, 0.0)
    if asleep > 1 - ON_TIME_SHARE and awake <= asleep / 2:
        found.append(
            f"a sender that sleeps between sends was over 1 ms late with {format_fraction(asleep)} of them, one that "
            f"stays awake with {format_fraction(awake)}: where late sends spoil a run, keep it awake (--awake), which "
            "takes a core"
        )
    elif asleep > 1 - ON_TIME_SHARE:
        found.append(
            f"a sender was over 1 ms late with {format_fraction(asleep)} of its sends, and with "
            f"{format_fraction(awake)} when it stayed awake: --awake does not help here; free a core, or measure from "
            "another machine"
        )
    return found
