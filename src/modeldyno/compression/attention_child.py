"""The child process of `attention`."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from modeldyno.children import answer
from modeldyno.compression.attention import FusingResult, FusingTask
from modeldyno.compression.attention_pattern import Attention, attention_at
from modeldyno.compression.saved_graph import save_graph
from modeldyno.compression.wiring import Wiring
from modeldyno.errors import InputError
from modeldyno.records.files import write_atomically

_DOMAIN = "com.microsoft"


def fuse(task: FusingTask) -> FusingResult:
    """Fold constants, find, fuse, drop what nothing needs any more, check and write.

    Raises:
        InputError: nothing was found.
    """
    with tempfile.TemporaryDirectory() as folder:
        basic = Path(folder, "basic.onnx")
        save_graph(Path(task.source), basic, "basic")
        model = onnx.load_model(str(basic))
    wiring = Wiring(onnx.shape_inference.infer_shapes(model, data_prop=True))
    softmaxes = [node for node in model.graph.node if node.op_type == "Softmax"]
    found = [one for one in (attention_at(wiring, node) for node in softmaxes) if one is not None]
    if not found:
        raise InputError(
            f"{Path(task.source).name} has no attention that could be fused",
            why=f"around none of its {len(softmaxes)} Softmax operators are products in a form that is known",
        )
    for number, one in enumerate(found):
        _replace(model, one, number)
    _add_domain(model)
    _drop_unused(model.graph)
    onnx.checker.check_model(model)
    write_atomically(Path(task.destination), model.SerializeToString())
    return FusingResult(fused=len(found))


def _replace(model: Any, one: Attention, number: int) -> None:
    """Put the operator where the Transpose of the answer was: all that it takes is made before."""
    graph, name = model.graph, f"attention_{number}"
    nodes, mask = _widened(graph, one, name) if one.mask else ([], "")
    whole = helper.make_node(
        "MultiHeadAttention",
        [one.query, one.key, one.value, *(("", "", mask) if mask else ())],
        [one.answer.output[0]],
        name=name,
        domain=_DOMAIN,
        num_heads=one.heads,
        scale=one.scale,
    )
    place = next(index for index, node in enumerate(graph.node) if node.output[:1] == one.answer.output[:1])
    del graph.node[place]
    for node in (whole, *reversed(nodes)):
        graph.node.insert(place, node)
    stale = [value for value in graph.value_info if value.name == one.answer.output[0]]
    for value in stale:  # it said four dimensions
        graph.value_info.remove(value)


def _widened(graph: Any, one: Attention, name: str) -> tuple[list[Any], str]:
    """The mask with a row for each token of the query: the kernel takes none that is the same for all of them."""
    place, ones, one_more = f"{name}_place", f"{name}_ones", f"{name}_one"
    for constant, values in ((place, [1]), (ones, [1, 1]), (one_more, [1])):
        graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), constant))
    sizes, tokens, shape, mask = (f"{name}_{what}" for what in ("sizes", "tokens", "shape", "mask"))
    nodes = [
        helper.make_node("Shape", [one.query], [sizes], name=sizes),
        helper.make_node("Gather", [sizes, place], [tokens], name=tokens),
        helper.make_node("Concat", [ones, tokens, one_more], [shape], name=shape, axis=0),
        helper.make_node("Expand", [one.mask, shape], [mask], name=mask),
    ]
    return nodes, mask


def _add_domain(model: Any) -> None:
    if all(one.domain != _DOMAIN for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))


def _drop_unused(graph: Any) -> None:
    """Operators that lead to no output, and weights that no operator takes."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(_taken(node))
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [one for one in graph.initializer if one.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def _taken(node: Any) -> set[str]:
    """What an operator takes, its branches included."""
    taken = set(node.input)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            taken.update(value.name for value in attribute.g.output)
            for inner in attribute.g.node:
                taken |= _taken(inner)
    return taken


if __name__ == "__main__":
    answer(fuse, FusingTask)
