"""Cut one call open: its layers, its operators, and how far each is from what the machine can do."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from modeldyno.api.artifacts.opening import open_artifact
from modeldyno.bench.ways import WARMUP_CALLS, Turns, take_turns
from modeldyno.clock import Clock
from modeldyno.errors import DynoError
from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from modeldyno.models.onnx.operator_costs import is_product, operator_cost
from modeldyno.records.anatomy import Anatomy, Trace
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import Deployment, RuntimeName
from modeldyno.records.peaks import MemoryLevel, PeakPrecision, Peaks
from modeldyno.runtimes.onnx_profile import OnnxProfile
from modeldyno.runtimes.openvino_profile import OpenVinoProfile
from modeldyno.runtimes.pytorch_profile import PyTorchProfile
from modeldyno.stats.roofline import Counted, Roof, operator_times, operators_estimate, split_of
from modeldyno.units import format_duration

PROFILED: frozenset[RuntimeName] = frozenset({"onnxruntime", "openvino", "pytorch"})
"""Runtimes whose own profiler is read."""
BLOCKS = 12
_MOST_CALLS = 1_000
"""In a block; the median of more is not steadier."""
_LONG_CALL_NS = 100_000_000
_MANY_OPERATORS = 1_000
"""Taken of a graph that could not be counted."""
Batch = Mapping[str, NDArray[np.generic]]
Profile = OnnxProfile | OpenVinoProfile | PyTorchProfile


def dissect(
    artifact: Artifact,
    deployment: Deployment,
    batch: Batch,
    *,
    peaks: Peaks | None,
    deadline_ns: int,
    clock: Clock,
    trust: bool = False,
) -> Anatomy:
    """The anatomy of a call, where the runtime has a profiler; else a note that says so.

    Args:
        artifact: what is called.
        deployment: as what; one instance of it.
        batch: what it is called with.
        peaks: of the machine; None leaves out the limits.
        deadline_ns: when to stop, once there are enough blocks for an interval.
        clock: the clock to measure with.
        trust: whether the user vouches for the artifact, so that opening it may run code from it.
    """
    rows = deployment.batching.max_rows
    if not is_told(artifact, deployment):
        runtime = f"{deployment.runtime} {deployment.session.label}".rstrip()
        note = f"{runtime} has no profiler that is read here: where the time goes inside a call is not told"
        return Anatomy(deployment=deployment, batch_rows=rows, notes=(note,))
    before = ProcessorTime.read()
    try:
        with profile_of(artifact, deployment, trust=trust) as profile:
            watched = _watched(profile, artifact, deployment, batch, Until(deadline_ns, clock))
    except DynoError as problem:
        return Anatomy(deployment=deployment, batch_rows=rows, notes=(problem.in_a_line,))
    trace, blocks = watched.trace, len(watched.times_ns["profiled"])
    level = _level(trace, artifact, batch, peaks, deployment)
    return Anatomy(
        deployment=deployment,
        batch_rows=rows,
        split=split_of(watched.times_ns) if "session" in watched.times_ns else None,
        operators=operator_times(counted(trace), trace, blocks, _roof(peaks, level, deployment.session.threads)),
        operators_ns=operators_estimate(trace, blocks),
        profiled_calls=len(trace.times_ns),
        resolution_ns=trace.resolution_ns,
        level=level,
        arena_bytes=trace.arena_bytes,
        peak_in_use_bytes=trace.peak_in_use_bytes,
        stolen_fraction=stolen_fraction(before, ProcessorTime.read()),
        notes=watched.notes,
    )


def is_told(artifact: Artifact, deployment: Deployment) -> bool:
    """Whether the runtime's own profiler is read here for such an artifact."""
    if deployment.runtime == "openvino":
        return artifact.format in ("openvino", "onnx")
    if deployment.runtime == "pytorch":  # in what was compiled there are no operators of PyTorch
        return artifact.format != "torch-aoti" and not deployment.session.mode and deployment.session.device == "cpu"
    return deployment.runtime in PROFILED and not deployment.session.label


def profile_of(artifact: Artifact, deployment: Deployment, *, trust: bool = False) -> Profile:
    """The profiler to call the artifact with; see `is_told`. Without `trust` nothing that runs code is opened."""
    if deployment.runtime == "pytorch":
        return PyTorchProfile(partial(open_artifact, artifact, deployment.session, runtime="pytorch", trust=trust))
    path = Path(artifact.path)
    if deployment.runtime == "openvino":
        return OpenVinoProfile(path, deployment.session)
    return OnnxProfile(path, deployment.session)


def counted(trace: Trace) -> list[Counted]:
    """Its operations with what they cost at least."""
    operations = trace.operations
    return [Counted(operation=one, cost=operator_cost(one), is_product=is_product(one.kind)) for one in operations]


class Until(NamedTuple):
    """When to stop, and by which clock."""

    deadline_ns: int
    clock: Clock


class _Watched(NamedTuple):
    """What was measured, before anything is made of it."""

    times_ns: Mapping[str, Sequence[float]]
    """By way of calling, the median call of each block."""
    trace: Trace
    notes: tuple[str, ...]


def _watched(profile: Profile, artifact: Artifact, deployment: Deployment, batch: Batch, until: Until) -> _Watched:
    """Calls with and without the profiler and around our session, in turns."""
    call_ns = min(_call_ns(profile, batch, until.clock) for _ in range(WARMUP_CALLS))
    layers, notes = _layers(artifact, deployment, batch, call_ns)
    most_calls = max(1, profile.most_events // (profile.operators or _MANY_OPERATORS) // BLOCKS)
    turns = Turns(blocks=BLOCKS, deadline_ns=until.deadline_ns, most_calls=min(_MOST_CALLS, most_calls))
    times = take_turns({**layers, "profiled": lambda: profile.run(batch)}, turns, clock=until.clock)
    return _Watched(times, profile.end(skip=2 * WARMUP_CALLS), notes)


def _layers(
    artifact: Artifact, deployment: Deployment, batch: Batch, call_ns: int
) -> tuple[dict[str, Callable[[], object]], tuple[str, ...]]:
    """The ways of calling that tell the layers apart; or none, and why."""
    if deployment.runtime != "onnxruntime":
        return {}, (f"the layers of a call are not told of {deployment.runtime}",)
    if call_ns >= _LONG_CALL_NS:
        rows, took = deployment.batching.max_rows, format_duration(call_ns, 2)
        return {}, (f"a call of batch {rows} takes {took}: the microseconds around the computing are not looked for",)
    from modeldyno.runtimes.onnx_calls import onnx_calls

    try:
        return onnx_calls(Path(artifact.path), artifact.signature, deployment.session, batch), ()
    except DynoError as problem:
        return {}, (problem.in_a_line,)


def _call_ns(profile: Profile, batch: Batch, clock: Clock) -> int:
    started = clock.now_ns()
    profile.run(batch)
    return clock.now_ns() - started


def _level(
    trace: Trace, artifact: Artifact, batch: Batch, peaks: Peaks | None, deployment: Deployment
) -> MemoryLevel | None:
    """Weights and whatever is alive at once; what comes in is the caller's, and is touched as well."""
    if peaks is None:
        return None
    used = max(trace.peak_in_use_bytes or 0, artifact.size_bytes) + sum(array.nbytes for array in batch.values())
    return peaks.level_of(used, deployment.session.threads)


def _roof(peaks: Peaks | None, level: MemoryLevel | None, threads: int) -> Roof:
    if peaks is None or level is None:
        return Roof(compute_per_s={}, bytes_per_s=None)
    found = {name: peaks.compute_per_s(name, threads) for name in get_args(PeakPrecision)}
    compute = {name: rate for name, rate in found.items() if rate is not None}
    return Roof(compute_per_s=compute, bytes_per_s=peaks.bytes_per_s(level, threads))
