"""The child process of `static_int8`: ONNX Runtime's own quantiser."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from modeldyno.children import answer
from modeldyno.compression.calibration import Calibration, read_calibration
from modeldyno.compression.static_int8 import StaticResult, StaticTask
from modeldyno.errors import InputError
from modeldyno.records.files import write_atomically

_METHODS = {
    "min-max": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
_WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


class _Rows(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    """The calibration rows, one call after another."""

    def __init__(self, calibration: Calibration) -> None:
        self._calls: Iterator[dict[str, Any]] = iter(read_calibration(calibration))

    def get_next(self) -> dict[str, Any] | None:
        """See `CalibrationDataReader`."""
        return next(self._calls, None)


def quantise(task: StaticTask) -> StaticResult:
    """Fold and fuse, so that weights are seen as weights and norms are part of them; quantise; check and write.

    Raises:
        InputError: no node was quantised.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantised = Path(folder, "prepared.onnx"), Path(folder, "quantised.onnx")
        # Symbolic shape inference needs sympy, and the ranges come from running the graph.
        quant_pre_process(task.source, str(prepared), skip_symbolic_shape=True)
        _refuse_without_weights(onnx.load_model(str(prepared)), task)
        quantize_static(
            str(prepared),
            str(quantised),
            _Rows(task.calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=task.reduce_range,
            activation_type=QuantType.QUInt8 if task.is_x86 else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=_METHODS[task.method],
        )
        model = onnx.load_model(str(quantised))
    count = _quantised(model)
    if count == 0:
        raise _nothing_to_quantise(task)
    write_atomically(Path(task.destination), model.SerializeToString())
    return StaticResult(quantised=count)


def _quantised(model: Any) -> int:
    dequantised = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return sum(
        node.op_type in _WITH_WEIGHTS and len(dequantised.intersection(node.input)) >= 2 for node in model.graph.node
    )


def _refuse_without_weights(model: Any, task: StaticTask) -> None:
    if not any(node.op_type in _WITH_WEIGHTS for node in model.graph.node):
        raise _nothing_to_quantise(task)


def _nothing_to_quantise(task: StaticTask) -> InputError:
    return InputError(
        f"{Path(task.source).name} has nothing to quantise",
        why="none of its operators is a Conv, MatMul or Gemm with constant weights",
        hint="trees and linear models of a single operator are as small as they get",
    )


if __name__ == "__main__":
    answer(quantise, StaticTask)
