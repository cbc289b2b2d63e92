"""The child process of `dynamic_int8`: ONNX Runtime's own quantiser."""

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from modeldyno.children import answer
from modeldyno.compression.dynamic_int8 import QuantisationResult, QuantisationTask
from modeldyno.compression.onnx_preparation import nothing_to_quantise, prepared_onnx
from modeldyno.records.files import write_atomically

_QUANTISED = ["Conv", "MatMul", "Gemm"]
_INTEGER_PRODUCTS = frozenset({"ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"})


def quantise(task: QuantisationTask) -> QuantisationResult:
    """Fold constants, so that weights are seen as weights; quantise; check and write.

    Raises:
        InputError: no node was quantised.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepared_onnx(Path(task.source), Path(folder), _QUANTISED)
        quantised = Path(folder, "quantised.onnx")
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
        raise nothing_to_quantise(Path(task.source))
    write_atomically(Path(task.destination), model.SerializeToString())
    return QuantisationResult(quantised=products)


if __name__ == "__main__":
    answer(quantise, QuantisationTask)
