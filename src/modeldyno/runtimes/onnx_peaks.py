"""Large matrix products in ONNX Runtime: what its kernels reach at most here."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from modeldyno.records.peaks import PeakPrecision

_SIZES: dict[PeakPrecision, int] = {"fp32": 1024, "int8": 1536}
"""Square, so large that nothing but the product counts, and still some milliseconds on a slow core."""


class Product(NamedTuple):
    """One product, ready to be called."""

    precision: PeakPrecision
    operations: int
    call: Callable[[], object]


def onnx_product(precision: PeakPrecision, threads: int) -> Product:
    """A product with a constant matrix: MatMul of FP32, or MatMulInteger of UINT8 by INT8 with sums in INT32."""
    import onnxruntime

    from modeldyno.runtimes.onnx_runtime import session_options

    size = _SIZES[precision]
    engine = onnxruntime.InferenceSession(
        _graph(precision, size).SerializeToString(), session_options(threads), providers=["CPUExecutionProvider"]
    )
    rows = np.ones((size, size), np.float32 if precision == "fp32" else np.uint8)
    return Product(precision, 2 * size**3, lambda: engine.run(["y"], {"x": rows}))


def _graph(precision: PeakPrecision, size: int) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    is_float = precision == "fp32"
    weights = np.ones((size, size), np.float32 if is_float else np.int8)
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT) if is_float else (TensorProto.UINT8, TensorProto.INT32)
    graph = helper.make_graph(
        [helper.make_node("MatMul" if is_float else "MatMulInteger", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", kinds[0], [size, size])],
        [helper.make_tensor_value_info("y", kinds[1], [size, size])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
