from collections.abc import Mapping

import numpy as np
import pytest

from modeldyno.machine.environment import capture_environment
from modeldyno.runtimes import openvino_peaks
from modeldyno.runtimes.openvino_peaks import Narrow, openvino_product

pytestmark = pytest.mark.slow
pytest.importorskip("openvino")
INSTRUCTIONS = {"bf16": {"avx512_bf16", "amx_bf16"}, "fp16": {"avx512_fp16", "amx_fp16"}}


@pytest.mark.parametrize("precision", ("bf16", "fp16"))
def test_a_product_computes_what_it_says_where_there_are_instructions_for_it(
    precision: Narrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_peaks, "_SIZE", 64)
    product = openvino_product(precision, threads=1)
    assert bool(INSTRUCTIONS[precision] & set(capture_environment().cpu_flags)) == (product is not None)
    if product is None:
        return
    answer = product.call()
    assert isinstance(answer, Mapping)
    assert np.full((64, 64), 64).tolist() == next(iter(answer.values())).tolist()
    assert (precision, 2 * 64**3) == (product.precision, product.operations)


def test_what_is_computed_in_fp32_after_all_is_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_peaks, "_SIZE", 64)
    monkeypatch.setattr(openvino_peaks, "compile_options", lambda _: {"INFERENCE_PRECISION_HINT": "f32"})
    assert openvino_product("bf16", threads=1) is None
