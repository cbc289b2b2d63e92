"""The child process of `static_int8`: ONNX Runtime's own quantiser."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from modeldyno.children import answer
from modeldyno.compression.calibration import Calibration, read_calibration
from modeldyno.compression.onnx_preparation import nothing_to_quantise, prepared_onnx
from modeldyno.compression.static_int8 import StaticResult, StaticTask
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
        prepared = prepared_onnx(Path(task.source), Path(folder), _WITH_WEIGHTS)
        quantised = Path(folder, "quantised.onnx")
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
        raise nothing_to_quantise(Path(task.source))
    write_atomically(Path(task.destination), model.SerializeToString())
    return StaticResult(quantised=count)


def _quantised(model: Any) -> int:
    dequantised = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return sum(
        node.op_type in _WITH_WEIGHTS and len(dequantised.intersection(node.input)) >= 2 for node in model.graph.node
    )


if __name__ == "__main__":
    answer(quantise, StaticTask)
