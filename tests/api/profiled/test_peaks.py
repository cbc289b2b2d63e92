import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.reports import profiles, samples

from modeldyno.api.profiled import peaks
from modeldyno.bench.ways import Turns
from modeldyno.clock import SystemClock
from modeldyno.machine.peaks import keep_peaks, peaks_path
from modeldyno.protocols import Silent
from modeldyno.records.peaks import Peaks
from modeldyno.runtimes.onnx_peaks import Product

MIB = 2**20


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The thread counts of each measurement, which is not made."""
    asked: list[list[int]] = []

    def note(threads: list[int], **_: object) -> Peaks:
        asked.append(threads)
        return profiles.PEAKS

    monkeypatch.setattr(peaks, "measure_peaks", note)
    return asked


def of(*threads: int, renew: bool = False) -> Peaks:
    return peaks.peaks_of(samples.ENVIRONMENT, threads, renew=renew, clock=SystemClock(), progress=Silent())


def test_small_arrays_and_products_give_a_peak_for_each_library_precision_and_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peaks, "working_sets", lambda *_: {"L2": MIB, "memory": 4 * MIB})
    monkeypatch.setattr(peaks, "_BLAS_SIZE", 64)
    monkeypatch.setattr("modeldyno.runtimes.onnx_peaks._SIZES", {"fp32": 64, "int8": 64})
    monkeypatch.setattr(peaks, "is_openvino_installed", lambda: False)
    turns = Turns(blocks=6, block_ns=1)
    found = peaks.measure_peaks([1, 2], clock=SystemClock(), progress=Silent(), turns=turns)
    assert {("numpy", "fp32", 1), ("onnxruntime", "fp32", 1), ("onnxruntime", "int8", 1), ("numpy", "fp32", 2),
            ("onnxruntime", "fp32", 2), ("onnxruntime", "int8", 2)} == {
        (one.library, one.precision, one.threads) for one in found.compute
    }  # fmt: skip
    assert 2 * 2 * 2 == len({(one.kernel, one.level, one.threads) for one in found.bandwidth})
    assert all(one.best_per_s >= one.per_s.value > 0 for one in found.compute)
    assert all(one.best_per_s >= one.per_s.value > 0 for one in found.bandwidth)


def test_what_was_kept_is_not_measured_again(measured: list[list[int]]) -> None:
    keep_peaks(profiles.PEAKS, samples.ENVIRONMENT)
    assert profiles.PEAKS == of(1)
    assert [] == measured


def test_a_thread_count_that_was_not_measured_is_measured_with_those_that_were(measured: list[list[int]]) -> None:
    keep_peaks(profiles.PEAKS, samples.ENVIRONMENT)
    of(2)
    assert [[1, 2]] == measured


def test_the_doctor_renews_and_keeps(measured: list[list[int]]) -> None:
    keep_peaks(profiles.PEAKS, samples.ENVIRONMENT)
    peaks_path().unlink()
    of(1, renew=True)
    assert [[1]] == measured
    assert peaks_path().exists()


def test_a_damaged_cache_is_said_and_measured_again(measured: list[list[int]]) -> None:
    peaks_path().parent.mkdir(parents=True)
    peaks_path().write_text("{")
    of(1)
    assert [[1]] == measured


def test_disturbances_are_noted() -> None:
    from msgspec.structs import replace

    slow = replace(profiles.PEAKS.compute[0], best_per_s=10 * profiles.PEAKS.compute[0].best_per_s)
    disturbed = replace(
        profiles.PEAKS, compute=(slow, *profiles.PEAKS.compute[1:]), stolen_fraction=0.2,
        cache_bytes={"L3": 10 * profiles.PEAKS.bandwidth[-1].working_set_bytes},
    )  # fmt: skip
    notes = " ".join(peaks._notes(disturbed))
    assert "the hypervisor took 20 %" in notes
    assert "1 of 5 peaks" in notes
    assert "larger than the L3" in notes
    assert [] == peaks._notes(profiles.PEAKS)


@pytest.mark.parametrize(
    ("working_set", "threads", "level"),
    ((2 * MIB, 1, "L2"), (3 * MIB, 1, "L3"), (3 * MIB, 2, "L2"), (40 * MIB, 1, "memory")),
)
def test_the_level_of_a_call_is_the_smallest_that_holds_it(working_set: int, threads: int, level: str) -> None:
    assert level == profiles.PEAKS.level_of(working_set, threads)


def test_the_roof_is_the_highest_that_was_measured() -> None:
    assert 121e9 == profiles.PEAKS.compute_per_s("fp32", 1)
    assert profiles.PEAKS.compute_per_s("fp32", 7) is None
    assert profiles.PEAKS.compute_per_s("fp64", 1) is None


def test_narrow_floats_have_a_peak_where_openvino_computes_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def product(precision: str, threads: int) -> Product | None:
        return Product("bf16", 2, lambda: threads) if precision == "bf16" else None

    monkeypatch.setattr(peaks, "is_openvino_installed", lambda: True)
    monkeypatch.setitem(
        sys.modules, "modeldyno.runtimes.openvino_peaks",
        SimpleNamespace(NARROW=("bf16", "fp16"), openvino_product=product),
    )  # fmt: skip
    found = [(library, one.precision) for library, one in peaks._products(1)]
    assert [("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("openvino", "bf16")] == found


def test_what_the_processor_could_and_nothing_measures_is_said(
    monkeypatch: pytest.MonkeyPatch, measured: list[list[int]]
) -> None:
    from msgspec.structs import replace

    monkeypatch.setattr(peaks, "is_openvino_installed", lambda: False)
    has_both = replace(samples.ENVIRONMENT, cpu_flags=("avx512_bf16", "avx512_fp16"))
    found = peaks.peaks_of(has_both, [1], renew=True, clock=SystemClock(), progress=Silent())
    assert "instructions for bf16 and fp16, whose peak is not known" in found.notes[-1]
    neither = replace(samples.ENVIRONMENT, cpu_flags=("avx2",))
    assert () == peaks.peaks_of(neither, [1], renew=True, clock=SystemClock(), progress=Silent()).notes
