"""Whether a graph does something of its own with missing values."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

_LOOKING = ("Imputer", "IsNaN")
"""Operators that tell NaN from a number; the trees of ai.onnx.ml do it too."""


def looks_for_gaps(path: Path) -> bool:
    """Whether an operator of the model tells NaN from a number.

    Of others a finite answer says nothing: Relu and ArgMax may make a number of what is none.
    """
    import onnx

    model = onnx.load_model(str(path), load_external_data=False)
    return _any_looks(model.graph.node) or any(_any_looks(one.node) for one in model.functions)


def _any_looks(nodes: Iterable[Any]) -> bool:
    for node in nodes:
        if node.op_type in _LOOKING or node.op_type.startswith("TreeEnsemble"):
            return True
        for attribute in node.attribute:
            graphs = (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs)
            if any(_any_looks(graph.node) for graph in graphs):
                return True
    return False
