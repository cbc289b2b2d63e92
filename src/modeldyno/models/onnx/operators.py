"""What a graph asks of a runtime: operators that nothing here has are named before anything is opened."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError

_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
_OF_RUNTIMES = ("com.microsoft", "com.ms.internal", "ai.onnx.preview", "org.openvinotoolkit")
"""Beginnings of domains whose operators a runtime here brings with it."""


def refuse_unknown_operators(model: Any, path: Path) -> None:
    """Nothing, where every operator is of a known opset, or defined in the file itself.

    Args:
        model: an `onnx.ModelProto`.
        path: its file.

    Raises:
        InputError: an operator is not in the opset that the file names, is somebody's own, or the opset or the format
            is newer than what is installed here.
    """
    from onnx import IR_VERSION, defs

    if model.ir_version > IR_VERSION:
        raise InputError(
            f"{path} is of version {model.ir_version} of the ONNX format",
            why=f"the newest that is known here is {IR_VERSION}",
            hint="write it again with an older ir_version, or: pip install --upgrade onnx onnxruntime",
        )
    versions = {entry.domain: entry.version for entry in model.opset_import}
    opset, newest = versions.get("", versions.get("ai.onnx", 0)), defs.onnx_opset_version()
    if opset > newest:
        raise InputError(
            f"{path} is of ONNX opset {opset}",
            why=f"the newest that is known here is {newest}",
            hint=f"export it again with opset {newest} or lower, or: pip install --upgrade onnx onnxruntime",
        )
    own = {(one.domain, one.name) for one in model.functions}
    for node in _nodes(model.graph):
        if (node.domain, node.op_type) in own:
            continue
        if node.domain in _STANDARD:
            _refuse_undefined(node, versions.get(node.domain, opset), path)
        elif not node.domain.startswith(_OF_RUNTIMES):
            raise InputError(
                f"{path} needs the custom operator {node.domain}:{node.op_type}",
                why="it is in a library of its own, which no runtime here loads",
                hint="export the model again with standard operators, or with the operator as a function of the graph",
            )


def _refuse_undefined(node: Any, opset: int, path: Path) -> None:
    from onnx import defs

    domain = "" if node.domain == "ai.onnx" else node.domain
    if not opset or defs.has(node.op_type, opset, domain):
        return
    name = f"{domain}:{node.op_type}" if domain else node.op_type
    known = defs.has(node.op_type, domain)
    since = f"; it came with opset {_first_opset(node.op_type, domain)}" if known else ", and no other"
    raise InputError(
        f"{path} holds the operator {name}",
        why=f"opset {opset}, which the file says it is of, has none of that name{since}",
        hint="export it again with a newer opset" if known else "export it again with standard operators",
    )


def _first_opset(kind: str, domain: str) -> int:
    from onnx import defs

    known = defs.get_all_schemas_with_history()
    return min(int(one.since_version) for one in known if (one.name, one.domain) == (kind, domain))


def _nodes(graph: Any) -> Iterator[Any]:
    """Those of subgraphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)
