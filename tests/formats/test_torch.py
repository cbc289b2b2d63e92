"""PyTorch models of every kind go from the file to a served bundle, held against the module's own answers."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.formats import whole_way

import modeldyno
from modeldyno.api.artifacts.choices import runtime_named
from modeldyno.api.artifacts.opening import artifact_of, open_artifact
from modeldyno.clock import SystemClock
from modeldyno.errors import InputError, ToolError, TrustError, UsageError
from modeldyno.models.conversion import convert_to_onnx
from modeldyno.models.examine import examine
from modeldyno.protocols import Session
from modeldyno.records.deployment import SessionSettings
from modeldyno.testing import runtime_kit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILE = """
from pathlib import Path

import torch
from safetensors.torch import load_file


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(16, 256), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(256, 3)
        )

    def forward(self, x):
        return self.layers(x).softmax(-1)


def make():
    net = Net()
    net.load_state_dict(load_file(str(Path(__file__).parent / "net.safetensors")))
    return net


SIGNATURE = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 16]}],
    "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": ["batch", 3]}],
}
make.signature = SIGNATURE
make.task = "classification"
make.files = ("net.safetensors",)


def frozen():
    class Frozen(torch.nn.Module):
        def forward(self, x):
            return x.reshape(3, 16)[:, :3] * 1.0

    return Frozen()


frozen.signature = SIGNATURE


def bessel():
    class Bessel(torch.nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(x[:, :3])

    return Bessel()


bessel.signature = SIGNATURE


def baked():
    class Baked(torch.nn.Module):
        def forward(self, x):
            return torch.tensor(x.tolist())[:, :3] + 0 * x[:, :3]

    return Baked()


baked.signature = SIGNATURE


class Mixed(torch.nn.Module):
    signature = {
        "inputs": [{"name": "number", "datatype": "INT32", "shape": ["batch", 2]},
                   {"name": "flag", "datatype": "BOOL", "shape": ["batch", 2]}],
        "outputs": [{"name": "twice", "datatype": "INT32", "shape": ["batch", 2]},
                    {"name": "other", "datatype": "BOOL", "shape": ["batch", 2]},
                    {"name": "share", "datatype": "FP64", "shape": ["batch"]}],
    }

    def forward(self, number, flag):
        return number * 2, ~flag, number.to(torch.float64).mean(-1)


def wrong():
    return 3


wrong.signature = SIGNATURE


def broken():
    raise OSError("no weights")


broken.signature = SIGNATURE
"""
STATED = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 16]}],
    "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": ["batch", 3]}],
    "task": "classification",
}
KINDS = ("net.pt2", "net.pt", "net.py:make")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network as torch.export, TorchScript and a Python file with safetensors, its rows and its own answers."""
    torch: Any = pytest.importorskip("torch")
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("torch")
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Linear(16, 256), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(256, 3)
    )
    save_file({f"layers.{name}": value for name, value in layers.state_dict().items()}, folder / "net.safetensors")
    (folder / "net.py").write_text(FILE)
    names: dict[str, Any] = {"__file__": str(folder / "net.py"), "__name__": "net"}
    exec(compile(FILE, "net.py", "exec"), names)  # noqa: S102 - our own text
    net = names["make"]().eval()
    rows = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
    with torch.no_grad():
        answers = net(torch.from_numpy(rows)).numpy()
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and says so
        example = torch.from_numpy(rows[:4])
        torch.export.save(torch.export.export(net, (example,), dynamic_shapes={"x": {0: batch}}), folder / "net.pt2")
        torch.jit.save(torch.jit.trace(net, (example,)), folder / "net.pt")
        torch.save(net.state_dict(), folder / "weights.pt")
    (folder / "net.signature.json").write_text(json.dumps(STATED))
    np.savez(folder / "rows.npz", X=rows, y=answers.argmax(axis=1))
    np.save(folder / "answers.npy", answers)
    return folder


def rows_of(made: Path) -> NDArray[np.float32]:
    with np.load(made / "rows.npz") as stored:
        rows: NDArray[np.float32] = stored["X"]
    return rows


def opened(made: Path, name: str, **settings: Any) -> Session:
    return open_artifact(artifact_of(examine(made / name, trust=True)), SessionSettings(**settings), trust=True)


@pytest.mark.parametrize("name", KINDS)
def test_what_goes_in_and_out_is_told(made: Path, name: str) -> None:
    model = modeldyno.inspect(made / name, trust=True)
    assert [("x", "FP32", ("batch", 16))] == [(one.name, one.datatype, one.shape) for one in model.signature.inputs]
    assert [("FP32", ("batch", 3))] == [(one.datatype, one.shape) for one in model.signature.outputs]
    assert ("fp32", 16 * 256 + 256 + 256 * 3 + 3) == (model.precision, model.parameters)


@pytest.mark.parametrize("name", KINDS)
def test_the_runtime_keeps_every_rule_of_the_kit(made: Path, name: str) -> None:
    model = examine(made / name, trust=True)
    runtime = runtime_named("pytorch", trust=True, entry=model.entry)
    runtime_kit.check_runtime(runtime, Path(model.path), model.signature, {"x": rows_of(made)[:7]})
    session = runtime.open(Path(model.path), model.signature, SessionSettings())
    runtime_kit.check_lock_released(session, {"x": rows_of(made)[:1]}, SystemClock())


@pytest.mark.proves(
    "PyTorch module, TorchScript, torch.export",
    files=".pt2; .pt with NAME.signature.json; file.py:name with its weights",
    code=True,
    extra="torch",
)
@pytest.mark.parametrize("name", KINDS)
def test_a_network_goes_all_the_way(made: Path, name: str, tmp_path: Path) -> None:
    rows, answers = rows_of(made), np.load(made / "answers.npy")
    evaluation = modeldyno.evaluate(made / name, data=made / "rows.npz", task="classification", trust=True)
    assert evaluation.quality is not None
    assert 1.0 == evaluation.quality.metrics["accuracy"].value
    search, bundle = whole_way.tune(made / name, made / "rows.npz", tmp_path / "out", task="classification", trust=True)
    names = [one.artifact.name for one in search.assessed]
    assert ["original", "onnx-fp32"] == names[:2], search.refused
    parity = search.assessed[1].artifact.parity
    assert parity is not None
    assert (0, True) == (parity.flips, parity.batch_consistent)
    output = search.assessed[0].artifact.signature.outputs[0].name
    for count in (1, 3):
        outputs = whole_way.ask(bundle, {"x": rows[:count]}, arguments=["--trust"])
        # An int8 artifact may have won, which the objective allows.
        assert answers[:count].argmax(axis=1).tolist() == outputs[output].argmax(axis=1).tolist()
        np.testing.assert_allclose(answers[:count], outputs[output], atol=0.05)


@pytest.mark.parametrize("name", KINDS)
def test_converted_it_answers_the_same_for_one_row_and_for_three(made: Path, name: str, tmp_path: Path) -> None:
    model = examine(made / name, trust=True)
    artifact = convert_to_onnx(
        model, tmp_path / "net.onnx", trust=True, timeout_ns=300_000_000_000, memory_bytes=8 * 2**30
    )
    assert artifact.signature == examine(tmp_path / "net.onnx", trust=False).signature
    session, answers = open_artifact(artifact), np.load(made / "answers.npy")
    for count in (1, 3, 200):
        (found,) = session.run({"x": rows_of(made)[:count]}).values()
        np.testing.assert_allclose(answers[:count], np.asarray(found, np.float32), rtol=1e-4, atol=1e-5)


def test_other_datatypes_and_several_outputs_are_kept(made: Path, tmp_path: Path) -> None:
    model = examine(made / "net.py:Mixed", trust=True)
    artifact = convert_to_onnx(
        model, tmp_path / "mixed.onnx", trust=True, timeout_ns=300_000_000_000, memory_bytes=8 * 2**30
    )
    inputs = {"number": np.array([[1, 2], [3, 5], [7, 9]], np.int32), "flag": np.eye(3, 2).astype(bool)}
    found, expected = open_artifact(artifact).run(inputs), opened(made, "net.py:Mixed").run(inputs)
    for name, values in (("twice", inputs["number"] * 2), ("other", ~inputs["flag"]), ("share", [1.5, 4, 8])):
        assert expected[name].dtype == found[name].dtype
        np.testing.assert_array_equal(values, expected[name])
        np.testing.assert_array_equal(values, found[name])


def test_what_the_exporters_cannot_do_is_said(made: Path, tmp_path: Path) -> None:
    model = examine(made / "net.py:bessel", trust=True)
    with pytest.raises(InputError, match="cannot be converted to ONNX") as caught:
        convert_to_onnx(model, tmp_path / "net.onnx", trust=True, timeout_ns=300_000_000_000, memory_bytes=8 * 2**30)
    assert "bessel_j0" in caught.value.why


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_loaded_without_trust(made: Path, name: str) -> None:
    with pytest.raises(TrustError, match=r"was not (loaded|run)") as caught:
        examine(made / name, trust=False)
    assert "--trust" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    (
        ("weights.pt", "holds weights or a pickled module", "torch.save wrote it"),
        ("net.py:wrong", "makes no PyTorch module", "gives int"),
        ("net.py:broken", "cannot be made", "OSError: no weights"),
        ("net.py:Net", "does not say what goes in and out", "no `signature`"),
    ),
)
def test_what_is_no_model_is_refused(made: Path, name: str, said: str, reason: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        examine(made / name, trust=True)
    assert reason in caught.value.why


@pytest.mark.parametrize("name", ("cut.pt2", "cut.pt"))
def test_a_file_that_is_cut_short_is_refused(made: Path, name: str, tmp_path: Path) -> None:
    whole = (made / name.replace("cut", "net")).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="PyTorch cannot read"):
        examine(tmp_path / name, trust=True)


def test_torchscript_without_a_word_about_its_inputs_is_refused_with_an_example(made: Path, tmp_path: Path) -> None:
    (tmp_path / "alone.pt").write_bytes((made / "net.pt").read_bytes())
    with pytest.raises(InputError, match="does not say what goes in and out") as caught:
        examine(tmp_path / "alone.pt", trust=True)
    assert "alone.signature.json" in caught.value.why
    (tmp_path / "alone.signature.json").write_text(json.dumps(STATED).replace('"batch", 3', '"batch", 4'))
    with pytest.raises(InputError, match="does not answer as its signature says") as caught:
        examine(tmp_path / "alone.pt", trust=True)
    assert "[1, 3] for a batch of 1, not ['batch', 4]" in caught.value.why


def test_a_batch_dimension_that_was_frozen_is_caught(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not answer as its signature says") as caught:
        examine(made / "net.py:frozen", trust=True)
    assert "a batch of 1" in caught.value.hint
    # What leaves PyTorch and comes back becomes a constant when it is traced, with the rows of the example.
    np.savez(tmp_path / "rows.npz", X=rows_of(made)[:20])
    search, _ = whole_way.tune(made / "net.py:baked", tmp_path / "rows.npz", tmp_path / "out", trust=True)
    assert [("onnx-fp32", "parity")] == [(one.name, one.stage) for one in search.refused if one.name == "onnx-fp32"]


@pytest.mark.parametrize("settings", ({"mode": "sideways"}, {"precision": "fp16"}, {"device": "cuda"}))
def test_settings_that_it_does_not_know_are_refused(made: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="CUDA" if "device" in settings else "does not know"):
        opened(made, "net.pt2", **settings)


def test_rows_of_another_datatype_are_refused(made: Path) -> None:
    with pytest.raises(ToolError) as caught:
        opened(made, "net.pt2").run({"x": rows_of(made)[:2].astype(np.float64)})
    assert "'x' is float64, not float32" == caught.value.why


def test_what_the_page_shows_can_be_inspected(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    from safetensors.torch import save_file

    page = (Path(__file__).parents[2] / "docs" / "howto" / "serve-a-pytorch-model.md").read_text()
    blocks = dict(re.findall(r"```\w+ (\S+)\n(.*?)```", page, re.DOTALL))
    for name in ("model.py", "model.signature.json"):
        (tmp_path / name).write_text(blocks[name])
    net = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3), torch.nn.Softmax(-1))
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(net), tmp_path / "model.pt")
    made, script = (examine(tmp_path / name, trust=True) for name in ("model.py:make", "model.pt"))
    assert made.signature == script.signature
    assert ("torch-module", "torchscript") == (made.format, script.format)
