"""What is said of PyTorch models where PyTorch is missing, and what needs no PyTorch to be told."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from modeldyno.api.artifacts.choices import runtime_named
from modeldyno.errors import InputError, UsageError
from modeldyno.models.examine import examine
from modeldyno.models.torch.transformers_folder import load_encoder
from modeldyno.records.artifact import Model
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.torch_library import load_torch

X = TensorSpec(name="x", datatype="FP32", shape=("batch", 2))
TEXT = TensorSpec(name="text", datatype="BYTES", shape=("batch",))


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were not installed, where it is."""
    monkeypatch.setitem(sys.modules, "torch", None)


def encoder(folder: Path, **changes: Any) -> Path:
    """The files of a text encoder with two small tensors, as transformers and safetensors write them."""
    folder.mkdir()
    config = {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8, "dtype": "float16", **changes}
    (folder / "config.json").write_text(json.dumps({name: one for name, one in config.items() if one is not None}))
    tensor = {"dtype": "F16", "data_offsets": [0, 0]}
    header = json.dumps({"__metadata__": {}, "a": {**tensor, "shape": [3, 4]}, "b": {**tensor, "shape": [5]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    return folder


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("name", ("net.pt2", "net.pt", "net.pth"))
def test_without_pytorch_the_command_that_installs_it_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match="PyTorch is not installed") as caught:
        examine(tmp_path / name, trust=True)
    assert "pip install 'modeldyno[torch]'" == caught.value.hint


@pytest.mark.usefixtures("without_torch")
def test_without_pytorch_no_session_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PyTorch is not installed"):
        load_torch()
    with pytest.raises(UsageError, match="PyTorch is not installed"):
        runtime_named("pytorch", trust=True).open(
            tmp_path / "net.pt2", Signature(inputs=(X,), outputs=(X,)), SessionSettings()
        )


def test_texts_are_no_tensors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PyTorch does not compute") as caught:
        runtime_named("pytorch").open(tmp_path / "n.pt2", Signature(inputs=(TEXT,), outputs=(X,)), SessionSettings())
    assert "'text' holds texts" in caught.value.why


def test_an_embedder_is_described_by_its_files_alone(tmp_path: Path) -> None:
    folder = encoder(tmp_path / "tiny")
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Normalize"}]')
    model = examine(folder, trust=False)
    assert ("tiny", "transformers", "embedding", "fp16") == (model.name, model.format, model.task, model.precision)
    assert (17, ("model.safetensors", "modules.json")) == (model.parameters, model.files)
    assert ["input_ids", "attention_mask"] == [spec.name for spec in model.signature.inputs]
    assert [("embedding", ("batch", 8))] == [(spec.name, spec.shape) for spec in model.signature.outputs]
    assert "BertModel, mean of the tokens, of length 1" == model.description


def test_an_embedder_may_be_named_by_its_main_file(tmp_path: Path) -> None:
    folder = encoder(tmp_path / "tiny")
    assert examine(folder, trust=False) == examine(folder / "config.json", trust=False)


def test_an_embedder_may_take_the_first_token(tmp_path: Path) -> None:
    folder = encoder(tmp_path / "tiny")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    assert "BertModel, first token" == examine(folder, trust=False).description
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(InputError, match="pooling_mode_max_tokens"):
        examine(folder, trust=False)


def classifier(folder: Path, labels: dict[str, str]) -> Model:
    return examine(encoder(folder, architectures=["BertForSequenceClassification"], id2label=labels), trust=False)


def test_a_classifier_has_its_labels(tmp_path: Path) -> None:
    model = classifier(tmp_path / "two", {"1": "yes", "0": "no"})
    assert ("classification", ("no", "yes")) == (model.task, model.classes)
    assert [("probabilities", ("batch", 2))] == [(spec.name, spec.shape) for spec in model.signature.outputs]


def test_a_classifier_of_one_label_is_a_regressor(tmp_path: Path) -> None:
    model = classifier(tmp_path / "one", {"0": "LABEL_0"})
    assert ("regression", (), "value") == (model.task, model.classes, model.signature.outputs[0].name)


@pytest.mark.parametrize(
    ("changes", "said"),
    (
        ({"architectures": ["GPT2LMHeadModel"]}, "only embedders (…Model) and classifiers"),
        ({"architectures": ["BertForMaskedLM"]}, "only embedders (…Model) and classifiers"),
        ({"architectures": ["T5Model"], "is_encoder_decoder": True}, "only embedders (…Model) and classifiers"),
        ({"architectures": None}, "model without an architecture"),
        ({"model_type": None}, "not a configuration of transformers"),
    ),
)
def test_other_models_of_transformers_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        examine(encoder(tmp_path / "other", **changes), trust=False)
    assert said in f"{caught.value.what}: {caught.value.why}"


def test_weights_that_could_hold_code_are_refused(tmp_path: Path) -> None:
    folder = encoder(tmp_path / "tiny")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"holds no model\.safetensors") as caught:
        examine(folder, trust=False)
    assert "save_pretrained" in caught.value.hint


@pytest.mark.parametrize("content", (b"", b"\x08\x00\x00\x00\x00\x00\x00\x00notjson!"))
def test_broken_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    folder = encoder(tmp_path / "tiny")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="is not a safetensors file"):
        examine(folder, trust=False)


@pytest.mark.usefixtures("without_torch")
def test_an_encoder_needs_pytorch_to_be_opened(tmp_path: Path) -> None:
    folder = encoder(tmp_path / "tiny")
    with pytest.raises(UsageError, match="PyTorch is not installed"):
        load_encoder(folder / "config.json", examine(folder, trust=False).signature)
