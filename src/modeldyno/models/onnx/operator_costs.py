"""What an ONNX operator has to do at least, counted from its shapes.

Operations: a multiplication and an addition count one each, so a product of m×k and k×n counts 2·m·n·k; any function
of one element counts one, however dear it is (Exp, Erf, Sqrt), but for those that are several steps each: softmax 5,
normalisation over an axis 8, GELU and its kind 8, batch normalisation 2. Each element of a pooling window counts one.
Bytes: every input, weight and output once, in the type it is stored in; a lookup (Gather) counts what it reads of its
table. Whatever is not named here is not counted: trees, loops, strings.

Sources for the counts of products: Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009; the shapes are those of
onnx/docs/Operators.md and of ONNX Runtime's docs/ContribOperators.md.
"""

from collections.abc import Callable, Sequence
from math import prod

from modeldyno.records.anatomy import Operation, OperatorCost, Tensor

_ITEM_BYTES = {
    "float64": 8, "int64": 8, "uint64": 8, "float32": 4, "int32": 4, "uint32": 4, "float16": 2, "bfloat16": 2,
    "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
_ELEMENTWISE = frozenset({
    "Abs", "Acos", "Add", "And", "Asin", "Atan", "Ceil", "Clip", "Cos", "Cosh", "Div", "Elu", "Equal", "Erf", "Exp",
    "Floor", "Greater", "GreaterOrEqual", "HardSigmoid", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log",
    "Max", "Mean", "Min", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "QLinearAdd", "QLinearMul",
    "QLinearLeakyRelu", "QLinearSigmoid", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor", "Affine",
    "Binarizer",
})  # fmt: skip
"""One operation for each element of the output."""
_STEPS = {
    "Softmax": 5, "LogSoftmax": 5, "Hardmax": 5, "QLinearSoftmax": 5, "LayerNormalization": 8, "GroupNormalization": 8,
    "InstanceNormalization": 8, "RMSNormalization": 8, "SimplifiedLayerNormalization": 8, "LpNormalization": 8,
    "SkipLayerNormalization": 9, "SkipSimplifiedLayerNormalization": 9, "BatchNormalization": 2, "Gelu": 8,
    "FastGelu": 8, "QuickGelu": 8, "BiasGelu": 9, "HardSwish": 3, "Mish": 8, "BiasSoftmax": 6, "Scaler": 2,
    "Normalizer": 3, "QuantizeLinear": 2, "DequantizeLinear": 2, "DynamicQuantizeLinear": 4, "LRN": 8,
}  # fmt: skip
"""So many operations for each element of the output."""
_REDUCING = frozenset({
    "ArgMax", "ArgMin", "CumSum", "GlobalAveragePool", "GlobalMaxPool", "QLinearGlobalAveragePool",
    "QLinearReduceMean", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "TopK",
})  # fmt: skip
"""One operation for each element of the input."""
_MOVING = frozenset({
    "ArrayFeatureExtractor", "Cast", "CastLike", "Compress", "Concat", "ConstantOfShape", "DepthToSpace", "Expand",
    "FeatureVectorizer", "Gather", "GatherElements", "GatherND", "OneHot", "Pad", "QLinearConcat", "Range",
    "ReorderInput", "ReorderOutput", "Resize", "ScatterElements", "ScatterND", "Slice", "SpaceToDepth", "Split", "Tile",
    "Transpose", "Upsample", "EmbedLayerNormalization",
})  # fmt: skip
"""They compute nothing, and read and write."""
_VIEWS = frozenset({
    "Constant", "Dropout", "Flatten", "Identity", "Reshape", "Shape", "Size", "Squeeze", "Unsqueeze",
})  # fmt: skip
"""They name the same bytes anew."""
_LOOKUPS = frozenset({"Gather", "GatherElements", "GatherND", "ArrayFeatureExtractor", "Slice"})
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def operator_cost(operation: Operation) -> OperatorCost | None:
    """The cost of one operator; None where it is not counted, or a shape that decides it is not known."""
    if operation.kind in _VIEWS:
        return OperatorCost(operations=0, bytes_moved=0)
    if not operation.is_known:
        return None
    operations, moved = _operations(operation), _bytes_moved(operation)
    if operations is None or moved is None:
        return None
    return OperatorCost(operations=operations, bytes_moved=moved)


def is_product(kind: str) -> bool:
    """Whether an operator multiplies matrices, so that the machine's peak for them is its roof."""
    return kind in _PRODUCTS


def _operations(one: Operation) -> int | None:
    count = _PRODUCTS.get(one.kind) or _POOLS.get(one.kind)
    if count is not None:
        return count(one)
    if one.kind in _REDUCING:
        return _elements(one.inputs)
    steps = 0 if one.kind in _MOVING else 1 if one.kind in _ELEMENTWISE else _STEPS.get(one.kind)
    out = _elements(one.outputs)
    return None if steps is None or out is None else steps * out


def _bytes_moved(one: Operation) -> int | None:
    outputs = _size(one.outputs)
    if one.kind in _LOOKUPS:
        index = _size(one.inputs[1:]) if one.kind != "Slice" else 0
        return None if outputs is None or index is None else 2 * outputs + index
    inputs = _size(one.inputs)
    return None if inputs is None or outputs is None else inputs + outputs


def _size(tensors: Sequence[Tensor | None]) -> int | None:
    """Bytes; None where a type has no fixed size."""
    sizes = [_ITEM_BYTES.get(tensor.datatype) for tensor in tensors if tensor is not None]
    if any(size is None for size in sizes):
        return None
    return sum(
        size * prod(tensor.shape)
        for size, tensor in zip(sizes, [one for one in tensors if one is not None], strict=True)
        if size is not None
    )


def _elements(tensors: Sequence[Tensor | None]) -> int | None:
    return prod(tensors[0].shape) if tensors and tensors[0] is not None else None


def _shape(tensors: Sequence[Tensor | None], index: int) -> tuple[int, ...] | None:
    tensor = tensors[index] if index < len(tensors) else None
    return tensor.shape if tensor is not None else None


def _one(operation: Operation, name: str, default: int = 0) -> int:
    value = operation.attributes.get(name, default)
    return value if isinstance(value, int) else default


def _matmul(one: Operation) -> int | None:
    """2·m·n·k: what is summed over is the last dimension of A, or the last but one where A is transposed."""
    a, out = _shape(one.inputs, 0), _elements(one.outputs)
    if not a or out is None:
        return None
    transposed = _one(one, "transA") and len(a) > 1
    return 2 * out * a[-2 if transposed else -1]


def _gemm(one: Operation) -> int | None:
    """As `_matmul`; a bias is added to each element of the output."""
    product = _matmul(one)
    has_bias = len(one.inputs) > 2 and one.inputs[2] is not None and one.kind != "QGemm"
    out = _elements(one.outputs)
    return None if product is None or out is None else product + (out if has_bias else 0)


def _convolution(weight: int) -> Callable[[Operation], int | None]:
    """Each element of the output sums over the channels of its group and the window: all but the first of OIHW."""

    def count(one: Operation) -> int | None:
        shape, out = _shape(one.inputs, weight), _elements(one.outputs)
        return None if shape is None or out is None else 2 * out * prod(shape[1:])

    return count


def _grouped_convolution(one: Operation) -> int | None:
    """OpenVINO's own: its weights have the groups in front, [groups, out, in, window]."""
    shape, out = _shape(one.inputs, 1), _elements(one.outputs)
    return None if shape is None or out is None else 2 * out * prod(shape[2:])


def _transposed_convolution(one: Operation) -> int | None:
    """Each element of the input is spread over the channels of its group and the window."""
    shape, taken = _shape(one.inputs, 1), _elements(one.inputs)
    return None if shape is None or taken is None else 2 * taken * prod(shape[1:])


def _any_attention(one: Operation) -> int | None:
    """Two operators have this name: that of `com.microsoft` is given the weights of its projections, ONNX's is not."""
    weight = _shape(one.inputs, 1)
    return _packed_attention(one) if weight is not None and len(weight) == 2 else _attention(one)


def _packed_attention(one: Operation) -> int | None:
    """The projection of [rows, tokens, width] to queries, keys and values, and then attention."""
    given, weight = _shape(one.inputs, 0), _shape(one.inputs, 1)
    if given is None or weight is None or len(given) != 3 or len(weight) != 2:
        return None
    rows, tokens, width = given
    hidden = weight[1] // 3
    return 2 * rows * tokens * width * weight[1] + 4 * rows * tokens * tokens * hidden


def _attention(one: Operation) -> int | None:
    """Queries by keys, a softmax, and by values; [rows, tokens, width] or [rows, heads, tokens, width of a head]."""
    query, key, value = (_shape(one.inputs, index) for index in range(3))
    if query is None or key is None or value is None or len(query) not in (3, 4) or len(key) != len(query):
        return None
    heads = query[1] if len(query) == 4 else max(1, _one(one, "num_heads", _one(one, "q_num_heads", 1)))
    rows, tokens, others = query[0], query[-2], key[-2]
    width = query[-1] * (query[1] if len(query) == 4 else 1)
    value_width = value[-1] * (query[1] if len(query) == 4 else 1)
    return 2 * rows * tokens * others * (width + value_width) + 5 * rows * heads * tokens * others


def _recurrent(one: Operation) -> int | None:
    """[steps, rows, width] through gates of [directions, gates·hidden, width] and [.., .., hidden]."""
    given, weight, recurrence = (_shape(one.inputs, index) for index in range(3))
    if given is None or weight is None or recurrence is None:
        return None
    return 2 * given[0] * given[1] * weight[0] * weight[1] * (weight[2] + recurrence[2])


def _pooled(one: Operation) -> int | None:
    window, out = one.attributes.get("kernel_shape"), _elements(one.outputs)
    return out * prod(window) if isinstance(window, tuple) and out is not None else None


def _linear(one: Operation) -> int | None:
    """ai.onnx.ml keeps the coefficients of all classes in an attribute."""
    given, coefficients = _shape(one.inputs, 0), _one(one, "coefficients.length")
    return None if not given or not coefficients else 2 * prod(given[:-1]) * coefficients


_PRODUCTS: dict[str, Callable[[Operation], int | None]] = {
    **dict.fromkeys(
        ("MatMul", "FusedMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QLinearMatMul",
         "MatMulNBits", "TransposeMatMul", "MatMulInteger16"), _matmul),
    **dict.fromkeys(("Gemm", "FusedGemm", "QGemm"), _gemm),
    **dict.fromkeys(("Conv", "FusedConv", "ConvInteger", "NhwcFusedConv", "NhwcConv"), _convolution(1)),
    **dict.fromkeys(("QLinearConv",), _convolution(3)),
    "ConvTranspose": _transposed_convolution,
    "GroupConvolution": _grouped_convolution,
    "Attention": _any_attention, "QAttention": _packed_attention,
    "MultiHeadAttention": _attention, "GroupQueryAttention": _attention,
    **dict.fromkeys(_GATES, _recurrent),
    "LinearClassifier": _linear, "LinearRegressor": _linear,
}  # fmt: skip
_POOLS = dict.fromkeys(("MaxPool", "AveragePool", "QLinearAveragePool", "LpPool"), _pooled)
