"""OpenVINO's own files, all the way."""

from pathlib import Path

import numpy as np
import pytest
from tests.formats import whole_way

import modeldyno
from modeldyno.openvino_library import load_openvino
from modeldyno.testing import models as samples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.proves("OpenVINO", files=".xml with its .bin", extra="openvino")
def test_it_goes_all_the_way(tmp_path: Path) -> None:
    openvino = load_openvino()
    network = openvino.Core().read_model(str(samples.write_dense_onnx(tmp_path / "dense.onnx", width=64)))
    openvino.save_model(network, str(tmp_path / "dense.xml"), compress_to_fp16=False)
    rows = np.random.default_rng(0).standard_normal((60, 64)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", X=rows)
    expected = openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})({"x": rows[:3]})["y"]
    assert ("dense.bin",) == modeldyno.inspect(tmp_path / "dense.xml").files
    _, bundle = whole_way.tune(tmp_path / "dense.xml", tmp_path / "rows.npz", tmp_path / "out")
    for count in (1, 3):
        outputs = whole_way.ask(bundle, {"x": rows[:count]})
        np.testing.assert_allclose(expected[:count], outputs["y"], rtol=1e-3, atol=1e-4)
