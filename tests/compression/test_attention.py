"""Attention as one operator: in which forms it is found, that the answers stay, and what is left alone."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from skl2onnx import to_onnx
from tests.compression.attentions import WIDTH, some_tokens, write_attention
from tests.compression.networks import write_uneven_onnx

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.children import ChildLimits
from modeldyno.compression.attention import FusingTask, fuse_attention, may_attend
from modeldyno.compression.attention_child import fuse
from modeldyno.errors import InputError
from modeldyno.models.examine import examine
from modeldyno.testing.models import digits, digits_mlp

LIMITS = ChildLimits(timeout_ns=60 * 10**9, memory_bytes=8 * 2**30)


def answers(path: Path, given: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, given)[0]
    return found


def fused(source: Path) -> Path:
    place = source.with_name("fused.onnx")
    fuse(FusingTask(source=str(source), destination=str(place)))
    return place


def kinds(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_model(str(path)).graph.node)


@pytest.mark.parametrize("form", ("simple", "graph", "trace"))
@pytest.mark.parametrize("masked", ("none", "finite"))
def test_every_form_becomes_one_operator_with_the_same_answers(tmp_path: Path, form: str, masked: str) -> None:
    source = write_attention(tmp_path / "a.onnx", form=form, masked=masked)
    found = fused(source)
    assert (1, 0) == (kinds(found)["MultiHeadAttention"], kinds(found)["Softmax"])
    for rows, tokens in ((1, 1), (1, 9), (5, 40)):
        given = some_tokens(rows, tokens, is_masked=masked != "none")
        np.testing.assert_allclose(answers(source, given), answers(found, given), rtol=1e-4, atol=1e-5)


def test_the_mask_still_hides_what_it_hid(tmp_path: Path) -> None:
    found = fused(write_attention(tmp_path / "a.onnx"))
    given = some_tokens(1, 8, is_masked=True)
    given["mask"] = np.array([[1, 1, 1, 0, 0, 0, 0, 0]])
    changed = {**given, "x": given["x"].copy()}
    changed["x"][:, 3:] += 5
    hidden, shown = answers(found, given)[:, :3], answers(found, changed)[:, :3]
    np.testing.assert_allclose(hidden, shown, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opset", (13, 18, 20))
@pytest.mark.parametrize("heads_of", ("count", "each"))
def test_heads_are_counted_or_told_by_their_width(tmp_path: Path, heads_of: str, opset: int) -> None:
    source = write_attention(tmp_path / "a.onnx", heads_of=heads_of, opset=opset)
    node = next(one for one in onnx.load_model(str(fused(source))).graph.node if one.op_type == "MultiHeadAttention")
    attributes = {one.name: one for one in node.attribute}
    assert 4 == attributes["num_heads"].i
    assert 8**-0.5 == pytest.approx(attributes["scale"].f)


def test_rows_of_which_everything_is_hidden_keep_their_guard(tmp_path: Path) -> None:
    """Without it they would be no numbers, where the graph as it came gives zeros."""
    source = write_attention(tmp_path / "a.onnx", masked="infinite")
    given = some_tokens(2, 4, is_masked=True)
    given["mask"][0] = 0
    assert 0 == np.abs(answers(source, given)[0]).max()
    with pytest.raises(InputError, match="no attention that could be fused"):
        fused(source)


def test_what_else_looks_at_the_heads_keeps_them(tmp_path: Path) -> None:
    source = write_attention(tmp_path / "a.onnx", masked="none")
    model = onnx.load_model(str(source))
    mixed = [node.output[0] for node in model.graph.node if node.op_type == "Transpose"][-1]
    model.graph.output.append(onnx.helper.make_tensor_value_info(mixed, onnx.TensorProto.FLOAT, [None, None, 4, 8]))
    onnx.save(model, str(source))
    with pytest.raises(InputError, match="no attention"):
        fused(source)


def test_an_artifact_says_what_was_done_and_from_what(tmp_path: Path) -> None:
    parent = artifact_of(examine(write_attention(tmp_path / "a.onnx"), trust=False))
    found = fuse_attention(parent, tmp_path / "fused.onnx", limits=LIMITS)
    assert ("onnx-fused", "fp32", parent.digest) == (found.name, found.precision, found.parent_digest)
    assert "as it came; 1 attention as one operator" == found.recipe
    assert WIDTH == found.signature.outputs[0].shape[-1]


def test_only_graphs_with_a_softmax_and_products_are_looked_into(tmp_path: Path) -> None:
    assert may_attend(write_attention(tmp_path / "a.onnx"))
    assert not may_attend(write_uneven_onnx(tmp_path / "b.onnx", factor=1.0))


def test_a_classifier_of_dense_layers_is_not_looked_at_although_it_ends_in_a_softmax(tmp_path: Path) -> None:
    example = digits()[0][:1]
    path = tmp_path / "digits.onnx"
    path.write_bytes(to_onnx(digits_mlp(), example).SerializeToString())
    assert "Softmax" in {node.op_type for node in onnx.load(str(path)).graph.node}
    assert not may_attend(path)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")
def test_what_the_installed_exporter_of_pytorch_writes_is_found(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Attending(torch.nn.Module):  # type: ignore[misc]  # its base is not known to the type checker
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH) for _ in range(3))

        def forward(self, x: Any, mask: Any) -> Any:
            queries, keys, values = (part(x).unflatten(-1, (4, WIDTH // 4)).transpose(1, 2) for part in self.parts)
            seen = mask.bool()[:, None, None, :]
            attended = torch.nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
            return attended.transpose(1, 2).flatten(-2)

    torch.manual_seed(0)
    source = tmp_path / "exported.onnx"
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    example = (torch.randn(3, 5, WIDTH), torch.ones(3, 5, dtype=torch.int64))
    torch.onnx.export(
        Attending().eval(), example, str(source), dynamo=True, external_data=False, verbose=False, opset_version=20,
        input_names=["x", "mask"], dynamic_shapes=(sizes, sizes),
    )  # fmt: skip
    found, given = fused(source), some_tokens(3, 9, is_masked=True)
    assert (1, 0) == (kinds(found)["MultiHeadAttention"], kinds(found)["Softmax"])
    np.testing.assert_allclose(answers(source, given), answers(found, given), rtol=1e-4, atol=1e-5)
