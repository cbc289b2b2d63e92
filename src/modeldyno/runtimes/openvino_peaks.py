"""Large matrix products in OpenVINO: what this processor reaches in narrow floats, which ONNX Runtime lacks there."""

from typing import Any, Literal

import numpy as np

from modeldyno.openvino_library import load_openvino
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.onnx_peaks import Product
from modeldyno.runtimes.open_vino import compile_options

Narrow = Literal["bf16", "fp16"]
NARROW: tuple[Narrow, ...] = ("bf16", "fp16")

_SIZE = 1024
"""As large as the one of FP32 in ONNX Runtime, see `onnx_peaks`."""
_COMPUTED = {"bf16": "bf16", "fp16": "f16"}


def openvino_product(precision: Narrow, threads: int) -> Product | None:
    """A product with a constant matrix; None where this processor has no instructions for it.

    OpenVINO then computes in FP32, without a word but in its runtime model.

    Raises:
        UsageError: OpenVINO is not installed.
    """
    openvino = load_openvino()
    options = compile_options(SessionSettings(threads=threads, precision=precision))
    compiled = openvino.Core().compile_model(_network(openvino), "CPU", options)
    if _COMPUTED[precision] not in _precisions(compiled):
        return None
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(np.ones((_SIZE, _SIZE), np.float32)))
    return Product(precision, 2 * _SIZE**3, request.infer)


def _network(openvino: Any) -> Any:
    operators = openvino.opset13
    rows = operators.parameter([_SIZE, _SIZE], np.float32)
    weights = operators.constant(np.ones((_SIZE, _SIZE), np.float32))
    return openvino.Model([operators.matmul(rows, weights, False, False)], [rows])  # noqa: FBT003 - OpenVINO's own API


def _precisions(compiled: Any) -> set[str]:
    """What its products are computed in."""
    facts = [one.get_rt_info() for one in compiled.get_runtime_model().get_ops()]
    products = [one for one in facts if one["layerType"].astype(str) in ("FullyConnected", "MatMul")]
    return {one["runtimePrecision"].astype(str) for one in products}
