"""What PyTorch's profiler tells of one operator, as an operation with its shapes.

The profiler tells names, shapes and element types of what goes in, and plain arguments (`record_shapes` of
torch.autograd.profiler). What comes out follows from these by the definition of each operator (docs.pytorch.org,
"torch.nn.functional"); where it is not known here, the operator is timed and not counted. Operators are called as ONNX
calls them where both mean the same, so that they are counted alike.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from modeldyno.records.anatomy import Operation, Tensor

_Shapes = Sequence[tuple[int, ...]]
_Shape = tuple[int, ...] | None
_Computing = tuple[str, tuple[int, ...], Callable[[_Shapes, list[Any]], _Shape] | None]

_DATATYPES = {
    "float": "float32", "double": "float64", "c10::Half": "float16", "c10::BFloat16": "bfloat16", "long int": "int64",
    "int": "int32", "short int": "int16", "signed char": "int8", "unsigned char": "uint8", "bool": "bool",
}  # fmt: skip
_ELEMENTWISE = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh",
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "erf": "Erf", "neg": "Neg", "abs": "Abs", "pow": "Pow",
    "maximum": "Max", "minimum": "Min", "clamp": "Clip", "clamp_min": "Clip", "hardtanh": "Clip", "relu6": "Clip",
    "leaky_relu": "LeakyRelu", "elu": "Elu", "softplus": "Softplus", "hardsigmoid": "HardSigmoid",
    "hardswish": "HardSwish", "silu": "HardSwish", "gelu": "Gelu", "where": "Where", "masked_fill": "Where",
}  # fmt: skip
_SAME_SHAPE = {
    "softmax": "Softmax", "_softmax": "Softmax", "log_softmax": "LogSoftmax", "layer_norm": "LayerNormalization",
    "native_layer_norm": "LayerNormalization", "batch_norm": "BatchNormalization", "group_norm": "GroupNormalization",
    "instance_norm": "InstanceNormalization", "rms_norm": "RMSNormalization", "clone": "Cast", "_to_copy": "Cast",
}  # fmt: skip
_VIEWS = frozenset({
    "view", "_reshape_alias", "flatten", "unflatten", "unsqueeze", "squeeze", "permute", "transpose", "t", "expand",
    "slice", "select", "narrow", "chunk", "split", "unbind", "alias", "detach", "dropout", "lift_fresh", "numpy_T",
    "resolve_conj", "resolve_neg",
})  # fmt: skip
"""They name the same bytes anew."""
_COPY_OR_VIEW = frozenset({"reshape", "contiguous", "to"})
"""Where they have to copy, they call what copies, and are taken apart into that."""


def is_counted(name: str) -> bool:
    """Whether an operator, such as `aten::linear`, is one that works, and whose work is known from its shapes."""
    plain = _plain(name)
    return plain in _ELEMENTWISE or plain in _SAME_SHAPE or plain in _OTHERS


def is_view(name: str) -> bool:
    """Whether an operator never works, such as `aten::view`."""
    return _plain(name) in _VIEWS


def operation_of(event: Any) -> Operation:
    """An operator of a call.

    Args:
        event: a `torch.autograd.profiler_util.FunctionEvent` with its shapes.
    """
    plain = _plain(event.name)
    if plain in _VIEWS or plain in _COPY_OR_VIEW:
        return Operation(name=event.name, kind="Reshape", inputs=(), outputs=())
    tensors = _tensors(event)
    kind, order, output = _computing(plain)
    if output is None or tensors is None or len(tensors) < len(order):
        return Operation(name=event.name, kind=kind, inputs=(), outputs=(), is_known=False)
    ordered = (*(tensors[place] for place in order), *tensors[len(order) :])
    shape = output([one.shape for one in ordered], list(event.concrete_inputs or ()))
    made = Tensor(datatype=ordered[0].datatype, shape=shape or ())
    return Operation(name=event.name, kind=kind, inputs=ordered, outputs=(made,), is_known=shape is not None)


def _computing(plain: str) -> _Computing:
    """How an operator is called, which inputs come first in ONNX, and what comes out; None where that is not known."""
    if plain in _ELEMENTWISE:
        return _ELEMENTWISE[plain], (), _broadcast
    if plain in _SAME_SHAPE:
        return _SAME_SHAPE[plain], (0,), _first
    return _OTHERS.get(plain, (plain, (), None))


def _plain(name: str) -> str:
    """`relu` of `aten::relu_`."""
    short = name.removeprefix("aten::")
    return short if short.startswith("_") else short.rstrip("_")


def _tensors(event: Any) -> tuple[Tensor, ...] | None:
    """What goes in; None where an element type is not known, or it is a list of tensors, of which no shape is told."""
    found = []
    for shape, name in zip(event.input_shapes or (), event.input_dtypes or (), strict=True):
        if name == "TensorList":
            return None
        if name in _DATATYPES:
            found.append(Tensor(datatype=_DATATYPES[name], shape=tuple(shape)))
        elif shape:
            return None
    return tuple(found) or None


def _first(shapes: _Shapes, _: list[Any]) -> _Shape:
    return shapes[0]


def _broadcast(shapes: _Shapes, _: list[Any]) -> _Shape:
    try:
        return tuple(int(size) for size in np.broadcast_shapes(*shapes))
    except ValueError:
        return None


def _linear(shapes: _Shapes, _: list[Any]) -> _Shape:
    rows, weight = shapes[:2]
    return (*rows[:-1], weight[0]) if rows and len(weight) == 2 else None


def _product(shapes: _Shapes, arguments: list[Any]) -> _Shape:
    left, right = shapes[:2]
    if len(left) < 2 or len(right) < 2:
        return None
    batch = _broadcast([left[:-2], right[:-2]], arguments)
    return None if batch is None else (*batch, left[-2], right[-1])


def _attention(shapes: _Shapes, _: list[Any]) -> _Shape:
    query, _key, value = shapes[:3]
    return (*query[:-1], value[-1]) if query and value else None


def _rows_of(shapes: _Shapes, _: list[Any]) -> _Shape:
    table, indices = shapes[:2]
    return (*indices, table[-1]) if table else None


def _convolved(shapes: _Shapes, arguments: list[Any]) -> _Shape:
    """[rows, channels, size, ...] by [channels, channels of a group, window, ...]; the size by the usual formula."""
    rows, weight = shapes[:2]
    dimensions = len(weight) - 2
    if (
        dimensions < 1
        or len(rows) != dimensions + 2
        or len(arguments) < 6
        or any(one is True for one in arguments[6:7])
    ):
        return None  # the seventh of `convolution` says that it is transposed
    stride, padding, dilation = (_each(one, dimensions) for one in arguments[3:6])
    if stride is None or padding is None or dilation is None:
        return None
    sizes = (
        (size + 2 * pad - spread * (window - 1) - 1) // step + 1
        for size, pad, spread, window, step in zip(rows[2:], padding, dilation, weight[2:], stride, strict=True)
    )
    return (rows[0], weight[0], *sizes)


def _each(value: Any, dimensions: int) -> Sequence[int] | None:
    """A number for each dimension; None for words such as `same`."""
    if isinstance(value, int):
        return [value] * dimensions
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return value * dimensions if len(value) == 1 else value
    return None


_OTHERS: dict[str, _Computing] = {
    "linear": ("Gemm", (0, 1), _linear),
    **dict.fromkeys(("addmm", "_addmm_activation", "baddbmm"), ("Gemm", (1, 2, 0), _product)),
    **dict.fromkeys(("mm", "bmm", "matmul"), ("MatMul", (0, 1), _product)),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), ("Conv", (0, 1), _convolved)),
    "scaled_dot_product_attention": ("MultiHeadAttention", (0, 1, 2), _attention),
    "embedding": ("Gather", (0, 1), _rows_of),
}
"""Name to its kind, which inputs are first in ONNX, and what comes out."""
