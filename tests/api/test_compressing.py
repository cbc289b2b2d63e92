from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.compression.networks import some_rows, write_uneven_onnx

from modeldyno.api.artifacts.recipes import RECIPES
from modeldyno.api.compressing import RECORD, compress
from modeldyno.cli.main import main
from modeldyno.errors import DataError, ObjectiveError, OutputError, UsageError
from modeldyno.records.derivation import Derivation
from modeldyno.records.files import digest_file, read_record, write_record

DYNAMIC = "onnx-int8-dynamic"
SHORT: dict[str, Any] = {"recipes": [DYNAMIC], "budget_ns": 120 * 10**9}
"""One quick recipe, and never out of time."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_uneven_onnx(tmp_path / "net.onnx", factor=1.0)


@pytest.fixture
def data(model: Path, tmp_path: Path) -> Path:
    """The labels are the network's own answers, but for a tenth."""
    import onnxruntime

    rows = some_rows(200)
    labels = onnxruntime.InferenceSession(str(model)).run(None, {"x": rows})[0].argmax(axis=1) // 12
    np.savez(tmp_path / "rows.npz", x=rows, label=labels)
    return tmp_path / "rows.npz"


def test_every_artifact_is_told_with_size_operations_answers_and_speed(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=some_rows(100))
    found = compress(model, out=tmp_path / "small", data=tmp_path / "x.npz", **SHORT)
    one = found.made[0]
    artifact = one.assessed.artifact
    assert [DYNAMIC] == [made.assessed.artifact.name for made in found.made]
    assert artifact.size_bytes < found.model.size_bytes / 2
    assert (str(tmp_path / "small" / f"{DYNAMIC}.onnx"), digest_file(Path(artifact.path))) == (
        artifact.path,
        artifact.digest,
    )
    assert one.cost is not None
    assert one.cost.operations > 2 * 3 * 96 * 96
    assert one.assessed.change is not None
    assert artifact.parity is not None
    assert artifact.parity.largest_difference > 0
    assert [1, 32] == [speed.rows for speed in one.speeds]
    assert all(speed.ratio.low is not None and speed.time_ns.value > 0 for speed in one.speeds)
    assert found == read_record(tmp_path / "small" / RECORD, Derivation)


def test_labels_tell_quality_and_the_class_that_suffers(data: Path, model: Path, tmp_path: Path) -> None:
    found = compress(
        model, out=tmp_path / "small", data=data, task="classification", slo="accuracy_drop<=100%", **SHORT
    )
    assert found.labelled
    assert found.original.assessed.quality is not None
    change = found.made[0].assessed.change
    assert change is not None
    assert "accuracy" in change.drops
    assert change.classes


def test_what_fails_an_objective_is_refused_with_its_numbers(tmp_path: Path, data: Path) -> None:
    uneven = write_uneven_onnx(tmp_path / "uneven.onnx", factor=10_000.0)
    recipes = {**SHORT, "recipes": ["onnx-int8-static"]}
    found = compress(uneven, out=tmp_path / "small", data=data, task="classification", **recipes)
    assert [("onnx-int8-static", "quality")] == [(one.name, one.stage) for one in found.refused]
    assert "flip rate" in found.refused[0].reason


def test_a_recipe_that_does_not_concern_the_model_says_what_it_needs(model: Path, tmp_path: Path) -> None:
    found = compress(model, out=tmp_path / "small", recipes=["onnx-fp32"], budget_ns=1)
    assert () == found.made
    assert "it needs a model of scikit-learn" in found.refused[0].reason


def test_what_a_recipe_starts_from_is_made_too_without_a_word_where_it_is_not_needed(
    model: Path, tmp_path: Path
) -> None:
    found = compress(model, out=tmp_path / "small", **SHORT)
    assert () == tuple(one for one in found.refused if one.name != DYNAMIC)


def test_made_up_rows_are_said_to_be_made_up_and_leave_nothing_behind(model: Path, tmp_path: Path) -> None:
    found = compress(model, out=tmp_path / "small", recipes=["onnx-int8-static"], budget_ns=120 * 10**9)
    assert "made up" in found.notes[0]
    assert None is found.data
    assert {"onnx-int8-static.onnx", RECORD} == {path.name for path in (tmp_path / "small").iterdir()}


def test_when_the_time_is_up_nothing_more_is_compressed(model: Path, tmp_path: Path) -> None:
    found = compress(model, out=tmp_path / "small", recipes=[DYNAMIC], budget_ns=-1)
    assert ["its share of the budget was spent"] == [one.reason for one in found.refused]


def test_an_unknown_recipe_is_refused_with_one_like_it(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recipe 'onnx-int8-dynamc'") as caught:
        compress(model, out=tmp_path / "small", recipes=["onnx-int8-dynamc"])
    assert f"did you mean {DYNAMIC}?" == caught.value.hint
    assert not (tmp_path / "small").exists()


def test_a_place_that_holds_something_is_left_alone(model: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "mine.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(OutputError, match="is there already"):
            compress(model, out=tmp_path / "small", force=force)
    assert ["mine.txt"] == [path.name for path in (tmp_path / "small").iterdir()]


def test_an_earlier_compression_is_replaced_when_asked(model: Path, tmp_path: Path) -> None:
    compress(model, out=tmp_path / "small", recipes=["onnx-fp32"], budget_ns=1)
    with pytest.raises(OutputError, match="is there already") as caught:
        compress(model, out=tmp_path / "small", recipes=["onnx-fp32"])
    assert "--force replaces what it wrote there" == caught.value.hint
    compress(model, out=tmp_path / "small", recipes=["onnx-fp32"], budget_ns=1, force=True)


def test_only_what_an_earlier_compression_wrote_is_replaced(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    first = compress(model, out=out, **SHORT)
    assert ((f"{DYNAMIC}.onnx",), True) == (first.files, (out / f"{DYNAMIC}.onnx").is_file())
    (out / "mine.txt").write_text("mine")
    found = compress(model, out=out, recipes=["onnx-fp32"], budget_ns=1, force=True)
    assert {"mine.txt", RECORD} == {path.name for path in out.iterdir()}
    assert f"{out} holds 1 file of something else, left as it was: mine.txt" in found.notes


def test_a_record_that_names_files_elsewhere_deletes_none_of_them(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    found = compress(model, out=out, recipes=["onnx-fp32"], budget_ns=1)
    (out / "way").symlink_to(tmp_path)
    write_record(out / RECORD, msgspec.structs.replace(found, files=("../net.onnx", str(model), "way/net.onnx")))
    compress(model, out=out, recipes=["onnx-fp32"], budget_ns=1, force=True)
    assert model.is_file()


def test_what_is_stopped_leaves_nothing_behind(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        (tmp_path / "small" / "half.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("modeldyno.api.artifacts.derivation.Comparison.derive", stop)
    with pytest.raises(KeyboardInterrupt):
        compress(model, out=tmp_path / "small", **SHORT)
    assert [] == list((tmp_path / "small").iterdir())


def test_objectives_that_cannot_be_judged_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="accuracy_drop"):
        compress(model, out=tmp_path / "small", slo="accuracy_drop<=1%")
    with pytest.raises(ObjectiveError, match="compress cannot judge 'p99<20ms'"):
        compress(model, out=tmp_path / "small", slo="p99<20ms")


def test_the_verb_says_what_was_made_and_what_was_not(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compress", str(model), "--recipe", DYNAMIC, "--recipe", "onnx-fp32", "--data", str(data)]
    code = main([*words, "--out", str(tmp_path / "small"), "--budget", "5s", "--task", "classification", "-q"])
    said = " ".join(capsys.readouterr().out.split())
    assert code in (0, 3, 4)  # how many answers int8 changes is the network's business
    for part in (DYNAMIC, "answers differ", "calls of 32 rows", "worse by", "it needs a model of scikit-learn"):
        assert part in said


def test_nothing_made_ends_with_two(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["compress", str(model), "--recipe", "onnx-fp32", "--out", str(tmp_path / "small"), "-q"])
    assert "the model as it came" in capsys.readouterr().out


def test_the_list_names_every_recipe_and_needs_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["compress", "--list"])
    said = capsys.readouterr().out
    assert DYNAMIC in said
    assert "weights in 8 bits, activations quantised on every call" in " ".join(said.split())


@pytest.mark.parametrize(("words", "missing"), ((["--out", "x"], "a MODEL is needed"), (["m.onnx"], "--out DIR")))
def test_without_a_model_or_a_place_it_says_what_is_missing(
    words: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["compress", *words])
    assert missing in capsys.readouterr().err


def test_what_no_search_tries_is_made_when_it_is_asked_for(model: Path, tmp_path: Path) -> None:
    names = ["onnx-int4-weights", "onnx-pruned-50"]
    found = compress(model, out=tmp_path / "small", recipes=names, budget_ns=120 * 10**9)
    assert names == [one.assessed.artifact.name for one in found.made]
    assert not {*names} & {recipe.name for recipe in RECIPES}


def test_what_is_not_faster_says_why_and_what_is_does_not(model: Path, tmp_path: Path) -> None:
    found = compress(model, out=tmp_path / "small", recipes=["onnx-pruned-50"], budget_ns=120 * 10**9)
    speeds, why = found.made[0].speeds, found.made[0].why
    is_faster = any(one.ratio.low is not None and one.ratio.low > 1 for one in speeds)
    assert ("" if is_faster else "its zeros are multiplied like any other number: no kernel here skips them") == why
