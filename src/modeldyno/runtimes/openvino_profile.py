"""What OpenVINO's own profiler tells of the operators of a call, in a request opened for nothing else.

Times are of `InferRequest.profiling_info`, shapes and element types of the runtime model, which is what is executed
(docs.openvino.ai, "Performance counters" and "Runtime model"). What was fused into another operator is in neither. The
operators are called as ONNX calls them where both mean the same, so that they are counted alike.
"""

from pathlib import Path
from typing import Any, ClassVar, Self

from modeldyno.errors import InputError, ToolError
from modeldyno.openvino_library import last_line, load_openvino, read_network
from modeldyno.protocols import Tensors
from modeldyno.records.anatomy import Operation, Tensor, Trace
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.open_vino import compile_options

_RESOLUTION_NS = 1_000
_ONNX_KINDS = {
    "Convolution": "Conv", "FullyConnected": "MatMul", "ConvolutionBackpropData": "ConvTranspose", "Subtract": "Sub",
    "Multiply": "Mul", "Divide": "Div", "ReLU": "Relu", "Clamp": "Clip", "Reorder": "ReorderInput", "Convert": "Cast",
    "SoftMax": "Softmax", "LogSoftmax": "LogSoftmax", "MVN": "LayerNormalization", "Maximum": "Max", "Minimum": "Min",
    "Power": "Pow", "Swish": "HardSwish", "FakeQuantize": "QuantizeLinear", "StridedSlice": "Slice", "Select": "Where",
    "VariadicSplit": "Split", "Broadcast": "Expand", "ShapeOf": "Shape", "RMS": "RMSNormalization",
}  # fmt: skip
_DATATYPES = {
    "f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "uint8",
    "i16": "int16", "u16": "uint16", "i32": "int32", "u32": "uint32", "i64": "int64", "u64": "uint64",
    "boolean": "bool",
}  # fmt: skip

_Seen = tuple[tuple[str, str, float], ...]
"""Name, type and time in ns of each operator that ran in a call."""


class OpenVinoProfile:
    """A request with the counters on; a context as `OnnxProfile` is one."""

    most_events: ClassVar[int] = 100_000
    """To ask of it in all: each is kept to the end as two strings and a number, in some 230 bytes."""

    def __init__(self, path: Path, settings: SessionSettings) -> None:
        self._path = path
        self._settings = settings
        self._calls: list[_Seen] = []

    def __enter__(self) -> Self:
        """Compile the model.

        Raises:
            InputError: OpenVINO cannot load the file.
            UsageError: it is not installed, or does not know these settings.
        """
        options = {**compile_options(self._settings), "PERF_COUNT": True}
        network = read_network(self._path)
        try:
            self._compiled = load_openvino().Core().compile_model(network, "CPU", options)
        except RuntimeError as problem:
            raise InputError(f"OpenVINO cannot compile {self._path}", why=last_line(problem)) from problem
        self._request = self._compiled.create_infer_request()
        return self

    def __exit__(self, *_: object) -> None:
        del self._request, self._compiled

    @property
    def operators(self) -> int | None:
        """How many the executed graph has, those among them that never run."""
        return len(self._compiled.get_runtime_model().get_ops())

    def run(self, inputs: Tensors) -> None:
        """One call.

        Raises:
            ToolError: OpenVINO fails on the tensors.
        """
        try:
            self._request.infer(dict(inputs))
        except (RuntimeError, TypeError) as problem:
            raise ToolError(
                "OpenVINO could not compute this batch with its profiler", why=last_line(problem)
            ) from problem
        self._calls.append(
            tuple(
                (str(one.node_name), str(one.node_type), one.real_time.total_seconds() * 1e9)
                for one in self._request.profiling_info
                if one.status.name == "EXECUTED"
            )
        )

    def end(self, *, skip: int) -> Trace:
        """The operators of the calls after the first `skip`.

        Raises:
            ToolError: the calls do not run the same operators, or there are none.
        """
        kept = self._calls[skip:]
        if not kept or any([one[0] for one in call] != [one[0] for one in kept[-1]] for call in kept):
            raise ToolError(
                f"OpenVINO's profiler told of {len(kept)} calls that do not run the same operators",
                why="the graph branches, and no mean of its operators can be told",
            )
        executed = {str(one.get_friendly_name()): one for one in self._compiled.get_runtime_model().get_ops()}
        return Trace(
            operations=tuple(_operation(name, kind, executed.get(name)) for name, kind, _ in kept[-1]),
            times_ns=tuple(tuple(took for _, _, took in call) for call in kept),
            resolution_ns=_RESOLUTION_NS,
        )


def _operation(name: str, kind: str, node: Any | None) -> Operation:
    inputs = _tensors(node.inputs()) if node is not None else None
    outputs = _tensors(node.outputs()) if node is not None else None
    return Operation(
        name=name,
        kind=_ONNX_KINDS.get(kind, kind),
        inputs=inputs or (),
        outputs=outputs or (),
        is_known=inputs is not None and outputs is not None,
    )


def _tensors(ports: Any) -> tuple[Tensor | None, ...] | None:
    """None where a shape is still open, or an element type is not one of NumPy's; what is left out is None in it."""
    found: list[Tensor | None] = []
    for port in ports:
        shape, element = port.get_partial_shape(), port.get_element_type().get_type_name()
        if shape.is_dynamic or (element not in _DATATYPES and element != "dynamic"):
            return None
        sizes = tuple(int(size) for size in shape.to_shape())
        found.append(None if element == "dynamic" else Tensor(datatype=_DATATYPES[element], shape=sizes))
    return tuple(found)
