"""The child process of `averaging`."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from modeldyno.augmentation.perturbing import is_changed
from modeldyno.children import answer
from modeldyno.errors import InputError
from modeldyno.models.onnx.averaging import OF_A_ROW, AveragingResult, AveragingTask
from modeldyno.models.onnx.composition import element_type, require_opset, value_info, whole_model, write_model
from modeldyno.models.onnx.names import prefix_values
from modeldyno.models.onnx.parts import GraphParts
from modeldyno.models.onnx.row_copies import add_copies
from modeldyno.records.signature import DATATYPES, TensorSpec

_MODEL = "model/"
_FLOATS = ("FP16", "FP32", "FP64")
_COUNTED = ("BOOL", "INT32", "INT64", "UINT8", "INT8")
"""Of labels, that ONNX Runtime compares."""
_FEWEST_VOTES = 3
_SPLIT_NAMES_ITS_PARTS = 18
"""The opset since which Split is told how many parts it makes."""


def average(task: AveragingTask) -> AveragingResult:
    """Build, check and write.

    Raises:
        InputError: an output can neither be averaged nor voted on, or the opset is too old.
        UsageError: the copies cannot be made, or the graph is not sound with them.
    """
    source = Path(task.source)
    model = onnx.load_model(task.source)
    opset = require_opset(model, source)
    prefix_values(model.graph, _MODEL)
    before, behind = GraphParts("copies/"), GraphParts("mean/")
    for spec in task.signature.inputs:
        _repeat(before, spec, task)
    joints = _Joints(behind, OF_A_ROW[task.change.kind] + 1, opset, task.scores)
    ends = joints.ends(task)
    graph = onnx.helper.make_graph(
        [*before.nodes, *model.graph.node, *behind.nodes, *ends],
        model.graph.name or source.stem,
        [value_info(spec) for spec in task.signature.inputs],
        [value_info(spec) for spec in task.signature.outputs],
        [*model.graph.initializer, *before.constants, *behind.constants],
    )
    write_model(whole_model(graph, model), source, Path(task.destination))
    return AveragingResult(joined=", ".join(joints.told))


def _repeat(parts: GraphParts, spec: TensorSpec, task: AveragingTask) -> None:
    """The rows of an input and their copies, one after the other, as the input of the model."""
    if is_changed(task.change.kind, spec):
        copies = add_copies(parts, spec.name, spec, task)
    else:
        copies = [spec.name] * OF_A_ROW[task.change.kind]
    joined = parts.node("Concat", spec.name, *copies, axis=0)
    parts.nodes.append(onnx.helper.make_node("Identity", [joined], [f"{_MODEL}{spec.name}"]))


class _Joints:
    """How the answers to copies become one, output by output."""

    def __init__(self, parts: GraphParts, copies: int, opset: int, scores: str | None) -> None:
        self._parts = parts
        self._copies = copies
        self._opset = opset
        self._scores = scores
        self._means: dict[str, str] = {}
        self.told: list[str] = []

    def ends(self, task: AveragingTask) -> list[Any]:
        """Nodes that give the outputs their names."""
        outputs = task.signature.outputs
        made = {spec.name: self._mean(spec) for spec in outputs if spec.datatype in _FLOATS}
        self._means = dict(made)
        if made:
            self.told.append("numbers averaged")
        made |= {spec.name: self._label(spec, task.classes) for spec in outputs if spec.datatype not in _FLOATS}
        return [onnx.helper.make_node("Identity", [made[spec.name]], [spec.name]) for spec in outputs]

    def _mean(self, spec: TensorSpec) -> str:
        parts, copies = self._parts, self._copies
        # Split and not Reshape: any dimension but the batch may vary, too.
        attributes = {"num_outputs": copies} if self._opset >= _SPLIT_NAMES_ITS_PARTS else {}
        first = parts.node("Split", f"{_MODEL}{spec.name}", outputs=copies, axis=0, **attributes)
        total = parts.node("Sum", first, *(f"{first}:{number}" for number in range(1, copies)))
        return parts.node("Div", total, parts.constant(np.array(copies, DATATYPES[spec.datatype])))

    def _label(self, spec: TensorSpec, classes: tuple[int | str, ...]) -> str:
        if len(spec.shape) > 2 or spec.shape[1:] not in ((), (1,)):
            raise InputError(
                f"output {spec.name!r} cannot be averaged",
                why=f"it is {spec.datatype} {list(spec.shape)}: neither numbers nor one label a row",
            )
        if self._scores is not None:
            self.told.append(f"{spec.name} of the highest mean of {self._scores}")
            place = self._parts.node("ArgMax", self._means[self._scores], axis=1, keepdims=len(spec.shape) - 1)
            if not classes:
                return self._parts.node("Cast", place, to=element_type(spec))
            return self._parts.node("Gather", self._parts.constant(_labels(spec, classes)), place)
        if spec.datatype not in _COUNTED or self._copies < _FEWEST_VOTES:
            why = "a vote of two is none" if spec.datatype in _COUNTED else f"{spec.datatype} is not counted"
            raise InputError(f"output {spec.name!r} cannot be averaged", why=f"no scores say the same as it, and {why}")
        self.told.append(f"{spec.name} by vote")
        return self._vote(spec)

    def _vote(self, spec: TensorSpec) -> str:
        """The most frequent of a row's answers; of several, the first."""
        parts, copies = self._parts, self._copies

        def shaped(value: str, *sizes: int) -> str:
            return parts.node("Reshape", value, parts.constant(np.array(sizes, np.int64)))

        answers = shaped(f"{_MODEL}{spec.name}", copies, -1)
        if spec.datatype != "INT64":
            answers = parts.node("Cast", answers, to=onnx.TensorProto.INT64)
        alike = parts.node("Equal", shaped(answers, copies, 1, -1), shaped(answers, 1, copies, -1))
        numbers = parts.node("Cast", alike, to=onnx.TensorProto.FLOAT)
        votes = parts.node("ReduceSum", numbers, parts.constant(np.array([1], np.int64)), keepdims=0)
        won = parts.node("GatherElements", answers, parts.node("ArgMax", votes, axis=0, keepdims=1), axis=0)
        label = shaped(won, -1, *(1,) * (len(spec.shape) - 1))
        return label if spec.datatype == "INT64" else parts.node("Cast", label, to=element_type(spec))


def _labels(spec: TensorSpec, classes: tuple[int | str, ...]) -> np.ndarray[Any, Any]:
    """What the output says for each class; numbers stand for the place of classes that are texts."""
    if spec.datatype == "BYTES":
        return np.array([str(one) for one in classes], object)
    numbers = [place if isinstance(one, str) else one for place, one in enumerate(classes)]
    return np.array(numbers, DATATYPES[spec.datatype])


if __name__ == "__main__":
    answer(average, AveragingTask)
