import numpy as np
import pytest

from modeldyno.records.peaks import PeakPrecision
from modeldyno.runtimes import onnx_peaks
from modeldyno.runtimes.onnx_peaks import onnx_product


@pytest.mark.parametrize("precision", ("fp32", "int8"))
def test_a_product_computes_what_it_says(precision: PeakPrecision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_peaks, "_SIZES", {precision: 16})
    product = onnx_product(precision, threads=1)
    answer = product.call()
    assert isinstance(answer, list)
    assert np.full((16, 16), 16).tolist() == answer[0].tolist()
    assert 2 * 16**3 == product.operations
