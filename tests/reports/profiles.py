"""Profiles with everything in them: a call cut open, peaks, the first call, memory."""

from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.anatomy import (
    Anatomy,
    CallSplit,
    ColdStart,
    GraphCost,
    MemoryUse,
    OperatorCost,
    OperatorTime,
)
from modeldyno.records.base import Estimate
from modeldyno.records.peaks import BandwidthPeak, ComputePeak, Peaks
from modeldyno.records.speed import Profile

ONE = samples.deployment("onnx-fp32")
BATCHED = samples.deployment("onnx-fp32", rows=32)


def estimate(value: float, spread: float = 0.06) -> Estimate:
    return samples.estimate(value, spread)


PEAKS = Peaks(
    measured_at="2026-03-14T09:00:00+00:00",
    compute=(
        ComputePeak(library="numpy", precision="fp32", threads=1, best_per_s=118e9, per_s=estimate(110e9)),
        ComputePeak(library="onnxruntime", precision="fp32", threads=1, best_per_s=121e9, per_s=estimate(112e9)),
        ComputePeak(library="onnxruntime", precision="int8", threads=1, best_per_s=1.7e12, per_s=estimate(1.5e12)),
    ),
    bandwidth=(
        BandwidthPeak(
            kernel="copy", level="L2", working_set_bytes=1_048_560, threads=1, best_per_s=64e9, per_s=estimate(60e9)
        ),
        BandwidthPeak(
            kernel="triad", level="memory", working_set_bytes=629_145_600, threads=1, best_per_s=14e9,
            per_s=estimate(12e9),
        ),
    ),
    cache_bytes={"L2": 2_097_152, "L3": 33_554_432},
    stolen_fraction=0.004,
)  # fmt: skip


def split(overhead: float, whole_ns: float = 9_800.0) -> CallSplit:
    outside = whole_ns * overhead / 3
    return CallSplit(
        whole_ns=estimate(whole_ns),
        session_layer_ns=estimate(outside * 0.3),
        python_ns=estimate(outside * 1.2),
        runtime_ns=estimate(outside * 1.5),
        computing_ns=estimate(whole_ns - 3 * outside),
        overhead=estimate(overhead),
    )


def operator(
    kind: str, time_ns: float, share: float, cost: tuple[int, int] | None, limit_ns: float | None = None
) -> OperatorTime:
    counted = None if cost is None else OperatorCost(operations=cost[0], bytes_moved=cost[1])
    return OperatorTime(
        name=f"{kind}_0",
        kind=kind,
        time_ns=estimate(time_ns),
        share=share,
        precision="fp32",
        cost=counted,
        bound=None if limit_ns is None else "compute" if kind == "Gemm" else "memory",
        limit_ns=limit_ns,
    )


def anatomy(**fields: object) -> Anatomy:
    whole = Anatomy(
        deployment=ONE,
        batch_rows=1,
        split=split(0.64),
        operators=(
            operator("FusedGemm", 2_400.0, 0.6, (16_512, 34_048), 532.0),
            operator("Gemm", 1_200.0, 0.3, (2_570, 712), 21.0),
            operator("TreeEnsembleClassifier", 400.0, 0.1, None),
        ),
        operators_ns=estimate(4_000.0),
        profiled_calls=12_000,
        resolution_ns=1_000,
        level="L2",
        arena_bytes=1_089_576,
        peak_in_use_bytes=42_000,
        stolen_fraction=0.004,
    )
    return replace(whole, **fields)


def cut_open() -> Profile:
    return replace(
        samples.profile(),
        input_bytes_per_item=256,
        output_bytes_per_item=48,
        cost=GraphCost(operations=19_260, bytes_moved=40_864, weight_bytes=38_440, uncounted={"ZipMap": 1}),
        peaks=PEAKS,
        anatomies=(
            anatomy(),
            anatomy(deployment=BATCHED, batch_rows=32, split=split(0.05, 78_000.0), operators_ns=estimate(73_000.0)),
        ),
        cold_start=ColdStart(
            deployment=ONE,
            batch_rows=1,
            processes=5,
            process_ns=estimate(212e6),
            library_ns=estimate(118e6),
            load_ns=estimate(17.2e6),
            first_ns=estimate(1.42e6),
            warm_ns=estimate(9_900.0),
            total_ns=estimate(349e6),
        ),
        memory=MemoryUse(
            runtime_bytes=51_200_000,
            model_bytes=9_300_000,
            call_bytes=467_000,
            batch_bytes=118_000,
            largest_batch_rows=64,
            peak_bytes=61_100_000,
        ),
    )


def bundled() -> Profile:
    return replace(cut_open(), bundle="out/digits.bundle", data="digits.npz, 599 rows", state="interrupted")
