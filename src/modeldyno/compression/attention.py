"""Attention as one operator: what exporters write as two products, a Softmax and a dozen of others around them."""

from pathlib import Path

from modeldyno.children import ChildLimits, run_child
from modeldyno.compression.onnx_products import made_onnx, refuse_other_formats
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record


class FusingTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str


class FusingResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    fused: int
    """How many attentions are one operator each now."""


def may_attend(path: Path) -> bool:
    """Whether a graph has a Softmax and two products of what it computed, so that it is worth looking closer.

    A classifier has a Softmax too, and products, but of weights.

    Args:
        path: a valid .onnx file; weights in other files are not read.
    """
    import onnx

    graph = onnx.load_model(str(path), load_external_data=False).graph
    given = {one.name for one in graph.initializer} | {
        name for node in graph.node if node.op_type == "Constant" for name in node.output
    }
    products = [node for node in graph.node if node.op_type == "MatMul" and not given.intersection(node.input)]
    return any(node.op_type == "Softmax" for node in graph.node) and len(products) >= 2


def fuse_attention(parent: Artifact, destination: Path, *, limits: ChildLimits) -> Artifact:
    """Make every attention that is known by its form a MultiHeadAttention, an operator of ONNX Runtime's own.

    Its kernel works block by block and never writes all scores (Dao et al., "FlashAttention", 2022): the longer the
    texts, the more it gains. See docs/decisions/0019-onnx-graphs.md for figures, and for why it is not
    ONNX Runtime's own optimiser that does it.

    Args:
        parent: an ONNX artifact in single precision.
        destination: the .onnx file to write; its folder exists.
        limits: for the child.

    Raises:
        InputError: it has no attention of a form that is known.
        OutputError: the file cannot be written.
        ToolError: it failed, crashed, or ran out of time or memory.
        UsageError: the parent is not ONNX.
    """
    refuse_other_formats(parent)
    result = run_child(
        "modeldyno.compression.attention_child",
        FusingTask(source=parent.path, destination=str(destination)),
        FusingResult,
        doing=f"fusing the attention of {Path(parent.path).name}",
        limits=limits,
    )
    fused = "1 attention as one operator" if result.fused == 1 else f"{result.fused} attentions as one operator each"
    recipe = f"{parent.recipe}; {fused}"
    return made_onnx(parent, destination, name="onnx-fused", recipe=recipe, precision=parent.precision)
