"""Measure what this machine can do at most, or find what was measured before."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from modeldyno.api.artifacts.recipe import BF16_FLAGS, FP16_FLAGS
from modeldyno.bench.ways import Turns, take_turns
from modeldyno.clock import Clock
from modeldyno.errors import InputError
from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from modeldyno.machine.bandwidth import Stream, streams, working_sets
from modeldyno.machine.caches import cache_bytes
from modeldyno.machine.peaks import keep_peaks, kept_peaks
from modeldyno.openvino_library import INSTALL, is_openvino_installed
from modeldyno.protocols import Progress
from modeldyno.records.base import Estimate
from modeldyno.records.environment import Environment
from modeldyno.records.peaks import BandwidthPeak, ComputePeak, Peaks
from modeldyno.stats.blocks import block_estimate
from modeldyno.units import format_fraction

if TYPE_CHECKING:
    from modeldyno.runtimes.onnx_peaks import Product

TURNS = Turns(blocks=6, block_ns=10_000_000)
"""Some blocks will meet no disturbance, and the best of them is the peak."""
_BLAS_SIZE = 1024
_UNSTEADY = 0.75
"""A mean so far below the best says that the machine was disturbed most of the time."""
_MUCH_STOLEN = 0.05
_NARROW_FLAGS = {"bf16": BF16_FLAGS, "fp16": FP16_FLAGS}


class _Way(NamedTuple):
    call: Callable[[], object]
    amount: int
    """Operations or bytes of a call."""


def peaks_of(
    environment: Environment, threads: Sequence[int], *, renew: bool, clock: Clock, progress: Progress
) -> Peaks:
    """The peaks of this machine for these thread counts: those kept, or else measured now and kept.

    Raises:
        OutputError: they cannot be kept.
    """
    kept = None if renew else peaks_if_kept(environment, progress)
    if kept is not None and {one.threads for one in kept.compute} >= set(threads):
        return kept
    counts = sorted({*threads, *({one.threads for one in kept.compute} if kept is not None else ())})
    measured = measure_peaks(counts, clock=clock, progress=progress)
    measured = msgspec.structs.replace(measured, notes=(*measured.notes, *_unknown(environment)))
    path = keep_peaks(measured, environment)
    progress.say(f"the machine's peaks are kept in {path}; dyno doctor --only-peaks renews them")
    return measured


def peaks_if_kept(environment: Environment, progress: Progress) -> Peaks | None:
    """Those that were measured before; None, said in words, where the file is damaged."""
    try:
        return kept_peaks(environment)
    except InputError as problem:
        progress.say(f"{problem}; they are taken for unknown")
        return None


def measure_peaks(threads: Sequence[int], *, clock: Clock, progress: Progress, turns: Turns = TURNS) -> Peaks:
    """Compute and bandwidth for each thread count, a few seconds each."""
    caches = cache_bytes()
    before = ProcessorTime.read()
    compute: list[ComputePeak] = []
    bandwidth: list[BandwidthPeak] = []
    progress.start("measuring what this machine can do at most", total=2 * len(threads))
    for number, count in enumerate(threads):
        compute += _compute_peaks(count, turns, clock)
        progress.advance(2 * number + 1)
        bandwidth += _bandwidth_peaks(count, caches, turns, clock)
        progress.advance(2 * number + 2)
    progress.end()
    stolen = stolen_fraction(before, ProcessorTime.read())
    found = Peaks(
        measured_at=clock.wall_time(),
        compute=tuple(compute),
        bandwidth=tuple(bandwidth),
        cache_bytes=caches,
        stolen_fraction=stolen,
    )
    return msgspec.structs.replace(found, notes=tuple(_notes(found)))


def _compute_peaks(threads: int, turns: Turns, clock: Clock) -> list[ComputePeak]:
    from threadpoolctl import threadpool_limits

    matrix = np.ones((_BLAS_SIZE, _BLAS_SIZE), np.float32)
    ways = {
        ("numpy", "fp32"): _Way(lambda: matrix @ matrix, 2 * _BLAS_SIZE**3),
        **{(library, one.precision): _Way(one.call, one.operations) for library, one in _products(threads)},
    }
    with threadpool_limits(threads):
        found = take_turns({"/".join(name): way.call for name, way in ways.items()}, turns, clock=clock)
    peaks = []
    for (library, precision), way in ways.items():
        best, mean = _rates(found[f"{library}/{precision}"], way.amount)
        peaks.append(
            msgspec.convert(
                {"library": library, "precision": precision, "threads": threads, "best_per_s": best, "per_s": mean},
                ComputePeak,
            )
        )
    return peaks


def _products(threads: int) -> "Iterator[tuple[str, Product]]":
    """By library; narrow floats only where OpenVINO is installed and this processor computes in them."""
    from modeldyno.runtimes.onnx_peaks import onnx_product

    yield "onnxruntime", onnx_product("fp32", threads)
    yield "onnxruntime", onnx_product("int8", threads)
    if is_openvino_installed():
        from modeldyno.runtimes.openvino_peaks import NARROW, openvino_product

        for precision in NARROW:
            found = openvino_product(precision, threads)
            if found is not None:
                yield "openvino", found


def _unknown(environment: Environment) -> list[str]:
    """What this processor can do and nothing here measures."""
    narrow = [name for name, flags in _NARROW_FLAGS.items() if flags & set(environment.cpu_flags)]
    if not narrow or is_openvino_installed():
        return []
    names = " and ".join(narrow)
    return [f"this processor has instructions for {names}, whose peak is not known: OpenVINO measures it: {INSTALL}"]


def _bandwidth_peaks(threads: int, caches: dict[str, int], turns: Turns, clock: Clock) -> list[BandwidthPeak]:
    found = []
    for level, size in working_sets(caches, threads).items():
        # One level after the other: the arrays of the largest would push those of the others out of their cache.
        opened = streams(level, size, threads)
        try:
            times = take_turns({one.kernel: one.call for one in opened}, turns, clock=clock)
            found += [_bandwidth_peak(one, times[one.kernel]) for one in opened]
        finally:
            for one in opened:
                one.close()
    return found


def _bandwidth_peak(stream: Stream, times_ns: Sequence[float]) -> BandwidthPeak:
    best, mean = _rates(times_ns, stream.bytes_a_call)
    return BandwidthPeak(
        kernel=stream.kernel,
        level=stream.level,
        working_set_bytes=stream.working_set_bytes,
        threads=stream.threads,
        best_per_s=best,
        per_s=mean,
    )


def _rates(times_ns: Sequence[float], amount: int) -> tuple[float, Estimate]:
    rates = [amount / max(1.0, one) * 1e9 for one in times_ns]
    return max(rates), block_estimate(rates)


def _notes(peaks: Peaks) -> list[str]:
    notes, measured = [], [(one.best_per_s, one.per_s.value) for one in peaks.compute]
    measured += [(one.best_per_s, one.per_s.value) for one in peaks.bandwidth]
    if peaks.stolen_fraction is not None and peaks.stolen_fraction > _MUCH_STOLEN:
        taken = format_fraction(peaks.stolen_fraction, 0)
        notes.append(f"the hypervisor took {taken} of the time while the peaks were measured: they may be too low")
    unsteady = sum(mean < _UNSTEADY * best for best, mean in measured)
    if unsteady:
        notes.append(
            f"{unsteady} of {len(measured)} peaks were reached in few blocks only: "
            "the machine was disturbed while they were measured, and they may be too low"
        )
    largest = max((one.working_set_bytes for one in peaks.bandwidth if one.level == "memory"), default=0)
    if not peaks.cache_bytes:
        notes.append("the kernel does not tell how large the caches are: only the bandwidth of memory was measured")
    elif largest <= peaks.cache_bytes.get("L3", 0):
        notes.append(
            "there is not enough free memory for arrays larger than the L3: its bandwidth is taken for memory's"
        )
    return notes
