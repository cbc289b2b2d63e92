from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.reports import profiles

import modeldyno
from modeldyno.api import profiling
from modeldyno.api.profiled.subject import profiled_at
from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.models.scikit.estimator import save_skops
from modeldyno.records.first_call import FirstCall
from modeldyno.records.speed import Profile
from modeldyno.runtimes.onnx_profile import OnnxProfile
from modeldyno.testing import models as samples
from modeldyno.testing.bundles import write_echo_bundle

SHORTEST: dict[str, Any] = {"batches": (1, 4), "threads": (1,), "instances": (1,), "budget_ns": 3600 * 10**9}
"""Rounds end it, not the budget: no test depends on how fast the machine is."""
SEEN = FirstCall(
    process_ns=5, library_ns=4, load_ns=3, first_ns=2, warm_ns=1, runtime_bytes=10, loaded_bytes=30, called_bytes=60,
    largest_bytes=100, peak_bytes=150,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _known_peaks_and_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured for real in tests/api/profiled/test_peaks.py and test_first_call.py."""
    monkeypatch.setattr(profiling, "ROUNDS", 3)
    monkeypatch.setattr("modeldyno.api.profiled.anatomy.BLOCKS", 6)
    monkeypatch.setattr(profiling, "peaks_of", lambda *_, **__: profiles.PEAKS)
    monkeypatch.setattr("modeldyno.api.profiled.first_call.run_child", lambda *_, **__: SEEN)


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    return samples.write_dense_onnx(tmp_path / "dense.onnx", width=32, layers=2)


def test_a_profile_without_data_tells_speed_operators_layers_and_costs(dense: Path) -> None:
    found = modeldyno.profile(dense, **SHORTEST)
    assert ("complete", ()) == (found.state, found.refused)
    assert {1, 4} == {point.batch_rows for point in found.points}
    assert (32 * 4, 32 * 4) == (found.input_bytes_per_item, found.output_bytes_per_item)
    assert found.cost is not None
    assert 2 * (2 * 32 * 32 + 32) == found.cost.operations
    assert 1 == found.anatomies[0].batch_rows
    for anatomy in found.anatomies:
        assert {"MatMul", "Relu"} == {one.kind for one in anatomy.operators}
        assert all(one.limit_ns is not None and one.bound is not None for one in anatomy.operators)
        assert anatomy.split is not None
    assert profiles.PEAKS == found.peaks
    assert "" == found.data


def test_no_more_is_asked_of_a_profiler_than_it_keeps(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It executes four operators: one call in each of the six blocks.
    monkeypatch.setattr(OnnxProfile, "most_events", 4 * 6)
    assert {6} == {one.profiled_calls for one in modeldyno.profile(dense, **SHORTEST).anatomies}


def test_the_first_call_and_the_memory_are_those_of_the_processes(dense: Path) -> None:
    found = modeldyno.profile(dense, **SHORTEST)
    assert found.cold_start is not None
    assert (14, 5) == (found.cold_start.total_ns.value, found.cold_start.processes)
    assert found.memory is not None
    assert (10, 20, 30, 40, 150) == (
        found.memory.runtime_bytes, found.memory.model_bytes, found.memory.call_bytes, found.memory.batch_bytes,
        found.memory.peak_bytes,
    )  # fmt: skip
    assert 4 == found.memory.largest_batch_rows


def test_threads_and_instances_are_varied_one_at_a_time(dense: Path) -> None:
    found = modeldyno.profile(dense, batches=(2,), threads=(1, 2), instances=(2,))
    shapes = {(one.deployment.session.threads, one.deployment.instances) for one in found.points}
    assert {(1, 1), (2, 1), (1, 2)} == shapes


def test_a_bundle_is_profiled_in_the_runtime_it_names(tmp_path: Path) -> None:
    bundle = write_echo_bundle(tmp_path / "echo.bundle")
    found = modeldyno.profile(bundle, **SHORTEST)
    assert (str(bundle), "echo") == (found.bundle, found.model.name)
    assert {"onnxruntime"} == {one.deployment.runtime for one in found.points}


def test_a_pipeline_of_bundles_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "both.bundle"
    folder.mkdir()
    (folder / "pipeline.json").write_text("{}")
    with pytest.raises(UsageError, match="pipeline of several models") as problem:
        modeldyno.profile(folder)
    assert "one by one" in problem.value.hint


def test_a_runtime_without_a_profiler_is_measured_and_said_to_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("peaks are of no use without operators")

    monkeypatch.setattr(profiling, "peaks_of", fail)
    path = tmp_path / "ink.skops"
    save_skops(samples.ink_regressor(), path)
    found = modeldyno.profile(path, **SHORTEST)
    assert len(found.points) == 2
    assert (None, None) == (found.peaks, found.cost)
    assert all("no profiler" in one.notes[0] and not one.operators for one in found.anatomies)


@pytest.mark.slow
def test_openvinos_operators_are_counted_against_the_same_peaks(dense: Path) -> None:
    from modeldyno.openvino_library import load_openvino

    openvino = load_openvino()
    path = dense.with_suffix(".xml")
    openvino.save_model(openvino.Core().read_model(str(dense)), str(path), compress_to_fp16=False)
    found = modeldyno.profile(path, **SHORTEST)
    anatomy = found.anatomies[0]
    products = [one for one in anatomy.operators if one.kind == "MatMul"]
    assert 2 == len(products)
    assert all(one.limit_ns is not None for one in products)
    assert anatomy.split is None
    assert any("layers of a call are not told of openvino" in note for note in anatomy.notes)


@pytest.mark.slow
def test_pytorchs_operators_are_counted_against_the_same_peaks(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 3)).eval()
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net, (torch.zeros(2, 64),), dynamic_shapes=shapes), tmp_path / "net.pt2")
    found = modeldyno.profile(tmp_path / "net.pt2", trust=True, **SHORTEST)
    anatomy = found.anatomies[0]
    products = [one for one in anatomy.operators if one.kind == "Gemm"]
    rows = anatomy.batch_rows
    assert {2 * rows * 64 * 128 + rows * 128, 2 * rows * 128 * 3 + rows * 3} == {
        one.cost.operations for one in products if one.cost is not None
    }
    assert all(one.limit_ns is not None for one in products)


def test_texts_have_operators_and_no_layers(tmp_path: Path) -> None:
    from onnx import TensorProto

    path = samples.write_echo_onnx(tmp_path / "echo.onnx", TensorProto.STRING)
    found = modeldyno.profile(path, **SHORTEST)
    assert (None, None) == (found.input_bytes_per_item, found.output_bytes_per_item)
    assert found.anatomies[0].split is None
    assert "BYTES" in found.anatomies[0].notes[0]
    assert ["Identity"] == [one.kind for one in found.anatomies[0].operators]


@pytest.mark.parametrize("stage", ("run_race", "dissect", "first_calls"))
def test_an_interruption_keeps_what_was_measured_before_it(
    stage: str, dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(profiling, stage, stop)
    found = modeldyno.profile(dense, **SHORTEST)
    assert "interrupted" == found.state
    assert found.cost is not None
    assert (stage != "run_race") == bool(found.points)
    assert (stage == "first_calls") == bool(found.anatomies)
    assert found.cold_start is None


def test_a_process_that_dies_is_told_and_the_rest_is_kept(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise ToolError("opening dense.onnx failed", why="it was killed by SIGKILL")

    monkeypatch.setattr("modeldyno.api.profiled.first_call.run_child", die)
    found = modeldyno.profile(dense, **SHORTEST)
    assert "complete" == found.state
    assert any("SIGKILL" in line for line in found.refused)
    assert found.points


def test_a_runtime_that_cannot_open_the_model_leaves_the_others(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = profiled_at

    def with_another(path: Path, *, trust: bool) -> Any:
        from dataclasses import replace as changed

        subject = opened(path, trust=trust)
        return changed(subject, runtimes=("scikit-learn", *subject.runtimes))

    monkeypatch.setattr(profiling, "profiled_at", with_another)
    found = modeldyno.profile(dense, **SHORTEST)
    assert found.refused[0].startswith("scikit-learn: ")
    assert found.points


def test_a_spent_budget_still_gives_the_first_point(dense: Path) -> None:
    found = modeldyno.profile(dense, **{**SHORTEST, "budget_ns": 1})
    assert [1] == [point.batch_rows for point in found.points]
    assert "not tried: the budget was spent before its turn" in found.refused[0]


def test_when_no_runtime_can_open_it_that_is_the_error(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InputError("cannot load it")

    monkeypatch.setattr(profiling, "open_lanes", fail)
    with pytest.raises(InputError, match="cannot load it"):
        modeldyno.profile(dense, **SHORTEST)


@pytest.mark.parametrize(
    ("asked", "words"),
    (
        ({"batches": (0,)}, "at least one row"),
        ({"threads": (0,)}, "at least one thread"),
        ({"instances": (0,)}, "at least one instance"),
    ),
)
def test_counts_below_one_are_refused(asked: dict[str, Any], words: str, dense: Path) -> None:
    with pytest.raises(UsageError, match=words):
        modeldyno.profile(dense, **asked)


def test_a_record_survives_being_written_and_read(dense: Path) -> None:
    from modeldyno.records.files import from_json, to_json

    found = modeldyno.profile(dense, **SHORTEST)
    assert found == from_json(to_json(found), Profile, "profile.json")


def test_the_deadline_is_shared_by_the_stages(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def look(*_: object, **asked: Any) -> object:
        seen.append(asked["deadline_ns"])
        return profiles.anatomy()

    monkeypatch.setattr(profiling, "dissect", look)
    assert modeldyno.profile(dense, **SHORTEST).cold_start is not None
    assert sorted(seen) == seen
    assert len(seen) >= 1


def test_an_older_record_is_still_read() -> None:
    import msgspec

    from modeldyno.records.files import to_json

    known = msgspec.json.decode(to_json(profiles.cut_open()))
    for name in ("bundle", "data", "input_bytes_per_item", "output_bytes_per_item", "cost", "peaks", "anatomies",
                 "cold_start", "memory"):  # fmt: skip
        del known[name]
    old = msgspec.convert(known, Profile)
    assert replace(profiles.cut_open(), anatomies=()).points == old.points
