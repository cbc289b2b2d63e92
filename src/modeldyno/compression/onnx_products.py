"""The weights of an ONNX graph's products, and the artifact that is made when they are changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from modeldyno.errors import InputError, UsageError
from modeldyno.records.artifact import Artifact, Precision
from modeldyno.records.files import digest_file


def weights_of(graph: Any, kinds: Sequence[str]) -> dict[str, Any]:
    """The initialisers in single precision with two dimensions or more that operators of `kinds` take as weights.

    Args:
        graph: an `onnx.GraphProto`.
        kinds: `Conv`, `MatMul`, `Gemm`; the second input is the weight.

    Raises:
        InputError: there are none.
    """
    import onnx

    stored = {one.name: one for one in graph.initializer}
    taken = {node.input[1] for node in graph.node if node.op_type in kinds and len(node.input) > 1}
    found = {
        name: stored[name]
        for name in sorted(taken & stored.keys())
        if stored[name].data_type == onnx.TensorProto.FLOAT and len(stored[name].dims) > 1
    }
    if not found:
        raise InputError(
            "the graph has no weights that could be changed",
            why=f"none of its operators is a {' or '.join(kinds)} with constant weights in single precision",
        )
    return found


def made_onnx(parent: Artifact, destination: Path, *, name: str, recipe: str, precision: Precision) -> Artifact:
    """The artifact of a file that was made of `parent`."""
    return msgspec.structs.replace(
        parent,
        name=name,
        path=str(destination),
        files=(),
        precision=precision,
        recipe=recipe,
        digest=digest_file(destination),
        size_bytes=destination.stat().st_size,
        parent_digest=parent.digest,
    )


def refuse_other_formats(parent: Artifact) -> None:
    """Only ONNX files are changed here.

    Raises:
        UsageError: it is another.
    """
    if parent.format != "onnx":
        raise UsageError(f"{parent.name} is not ONNX", why="only ONNX graphs are changed here")
