"""The child process of `dynamic_int8`: ONNX Runtime's own quantiser."""

import tempfile
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from modeldyno.children import answer
from modeldyno.compression.dynamic_int8 import QuantisationResult, QuantisationTask
from modeldyno.errors import InputError
from modeldyno.records.files import write_atomically

_QUANTISED = ["Conv", "MatMul", "Gemm"]
_INTEGER_PRODUCTS = frozenset({"ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"})


def quantise(task: QuantisationTask) -> QuantisationResult:
    """Fold constants, so that weights are seen as weights; quantise; check and write.

    Raises:
        InputError: no node was quantised.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantised = Path(folder, "prepared.onnx"), Path(folder, "quantised.onnx")
        # Symbolic shape inference needs sympy, and tells dynamic quantisation nothing that it uses.
        quant_pre_process(task.source, str(prepared), skip_symbolic_shape=True)
        _refuse_without_products(onnx.load_model(str(prepared)), task)
        quantize_dynamic(
            str(prepared),
            str(quantised),
            op_types_to_quantize=_QUANTISED,
            weight_type=QuantType.QInt8,
            per_channel=False,
            reduce_range=task.reduce_range,
            # Shape inference stops at operators of ai.onnx.ml, such as a scaler before the first product.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        model = onnx.load_model(str(quantised))
    products = sum(node.op_type in _INTEGER_PRODUCTS for node in model.graph.node)
    if products == 0:
        raise _nothing_to_quantise(task)
    write_atomically(Path(task.destination), model.SerializeToString())
    return QuantisationResult(quantised=products)


def _refuse_without_products(model: Any, task: QuantisationTask) -> None:
    """The quantiser stops with an error of its own on a graph of ai.onnx.ml operators alone; this says it in words."""
    if not any(node.op_type in _QUANTISED for node in model.graph.node):
        raise _nothing_to_quantise(task)


def _nothing_to_quantise(task: QuantisationTask) -> InputError:
    return InputError(
        f"{Path(task.source).name} has nothing to quantise",
        why="none of its operators is a Conv, MatMul or Gemm with constant weights",
        hint="trees and linear models of a single operator are as small as they get",
    )


if __name__ == "__main__":
    answer(quantise, QuantisationTask)
