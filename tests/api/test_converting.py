from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from tests.compression.networks import some_rows, write_uneven_onnx

from modeldyno.api.converting import convert
from modeldyno.cli.main import main
from modeldyno.errors import InputError, OutputError, UsageError
from modeldyno.openvino_library import is_openvino_installed


@pytest.fixture
def iris(tmp_path: Path) -> Path:
    rows, labels = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(rows, labels)
    skops.io.dump(model, tmp_path / "iris.skops")
    np.savez(tmp_path / "iris.npz", X=rows, y=labels)
    return tmp_path / "iris.skops"


def test_a_converted_model_is_where_it_was_asked_for_and_compared(iris: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "flowers.onnx"
    out.parent.mkdir()
    out.write_bytes(b"an older one")
    found = convert(iris, to="onnx", out=out, data=tmp_path / "iris.npz", force=True, budget_ns=1)
    assert ["flowers.onnx"] == [path.name for path in out.parent.iterdir()]
    assert onnxruntime.InferenceSession(str(out)).get_inputs()
    one = found.made[0]
    assert str(out) == one.assessed.artifact.path
    assert one.assessed.artifact.parity is not None
    assert 0 == one.assessed.artifact.parity.flips
    assert one.assessed.change is not None
    assert 0 == one.assessed.change.drops["accuracy"].value
    assert [1, 32] == [speed.rows for speed in one.speeds]
    assert () == found.refused


def test_a_network_becomes_openvino_with_its_weights_beside_it(tmp_path: Path) -> None:
    if not is_openvino_installed():
        pytest.skip("OpenVINO is not installed")
    model = write_uneven_onnx(tmp_path / "net.onnx", factor=1.0)
    np.savez(tmp_path / "x.npz", x=some_rows(40))
    found = convert(model, to="openvino", out=tmp_path / "ir" / "small.xml", data=tmp_path / "x.npz", budget_ns=1)
    assert {"small.xml", "small.bin"} == {path.name for path in (tmp_path / "ir").iterdir()}
    artifact = found.made[0].assessed.artifact
    assert ("small.bin",) == artifact.files
    from modeldyno.api.artifacts.opening import artifact_of, open_artifact
    from modeldyno.models.examine import examine

    again = examine(tmp_path / "ir" / "small.xml", trust=False)
    assert again.digest == artifact.digest
    session = open_artifact(artifact_of(again))
    expected = onnxruntime.InferenceSession(str(model)).run(None, {"x": some_rows(3)})[0]
    given = next(iter(session.run({"x": some_rows(3)}).values())).astype(np.float32)
    np.testing.assert_allclose(expected, given, rtol=1e-3, atol=1e-4)
    session.close()


@pytest.mark.slow
def test_what_cannot_be_converted_says_why_and_leaves_nothing(iris: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was not converted to openvino") as caught:
        convert(iris, to="openvino", out=tmp_path / "new" / "iris.xml", budget_ns=1)
    assert "not made of trees or scikit-learn" in caught.value.why
    assert "dyno tune" in caught.value.hint
    assert [] == list((tmp_path / "new").iterdir())


def test_what_is_in_that_format_already_is_not_converted(tmp_path: Path) -> None:
    model = write_uneven_onnx(tmp_path / "net.onnx", factor=1.0)
    with pytest.raises(UsageError, match="is in that format already"):
        convert(model, to="onnx", out=tmp_path / "again.onnx")


def test_a_place_of_another_kind_or_that_is_taken_is_refused(iris: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.xml") as caught:
        convert(iris, to="openvino", out=tmp_path / "iris.onnx")
    assert f"--out {tmp_path / 'iris.xml'}" == caught.value.hint
    (tmp_path / "taken.onnx").write_bytes(b"mine")
    with pytest.raises(OutputError, match="is there already"):
        convert(iris, to="onnx", out=tmp_path / "taken.onnx")
    assert b"mine" == (tmp_path / "taken.onnx").read_bytes()


def test_the_verb_says_how_the_answers_and_the_speed_compare(
    iris: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", str(iris), "--to", "onnx", "--out", str(tmp_path / "i.onnx"), "--budget", "1s", "-q"]
    assert 0 == main([*words, "--data", str(tmp_path / "iris.npz")])
    said = " ".join(capsys.readouterr().out.split())
    for part in ("answers differ", "0.0 % [0.0, 2.5]", "calls of 1 row", "as it came", "accuracy", "dyno tune"):
        assert part in said
