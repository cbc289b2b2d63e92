import sys
from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.api.artifacts.recipe import Situation
from modeldyno.api.artifacts.recipes import make_artifacts
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import InputError, UsageError
from modeldyno.models.examine import examine
from modeldyno.openvino_library import (
    is_openvino_installed,
    last_line,
    load_nncf,
    load_openvino,
    read_network,
    refuse_telemetry,
)
from modeldyno.protocols import Silent
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature
from modeldyno.runtimes.open_vino import OpenVinoRuntime
from modeldyno.testing import models as samples


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("openvino", "nncf"):
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.usefixtures("without_openvino")
def test_without_it_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    assert not is_openvino_installed()
    (tmp_path / "model.xml").write_text('<?xml version="1.0"?><net name="m" version="11"></net>')
    for attempt in (
        load_openvino,
        load_nncf,
        lambda: read_network(tmp_path / "model.xml"),
        lambda: examine(tmp_path / "model.xml", trust=False),
        lambda: OpenVinoRuntime().open(
            tmp_path / "model.xml", Signature(inputs=(), outputs=()), SessionSettings(threads=1)
        ),
    ):
        with pytest.raises(UsageError, match=r"is not installed|does not load") as caught:
            attempt()
        assert "pip install 'modeldyno[openvino]'" == caught.value.hint


@pytest.mark.usefixtures("without_openvino")
def test_a_search_goes_on_without_it_and_says_so_once(tmp_path: Path) -> None:
    model = examine(samples.write_dense_onnx(tmp_path / "dense.onnx"), trust=False)
    dataset = synthetic_dataset(model.signature, rows=8, seed=0)
    situation = Situation(
        model=model, dataset=dataset, folder=tmp_path / "made", cpu_flags=("avx512_bf16",), trust=False
    )
    made, refused = make_artifacts(artifact_of(model), situation, progress=Silent(), is_time_up=lambda: False)
    assert not [one.name for one in made if one.name.startswith("openvino")]
    ours = [one for one in refused if one.name.startswith("openvino")]
    assert ["openvino-fp32"] == [one.name for one in ours]
    assert "pip install 'modeldyno[openvino]'" in ours[0].reason


def test_a_small_model_is_not_tried_in_it(tmp_path: Path) -> None:
    model = examine(samples.write_dense_onnx(tmp_path / "dense.onnx", width=16), trust=False)
    dataset = synthetic_dataset(model.signature, rows=8, seed=0)
    situation = Situation(model=model, dataset=dataset, folder=tmp_path / "made", cpu_flags=(), trust=False)
    made, refused = make_artifacts(artifact_of(model), situation, progress=Silent(), is_time_up=lambda: False)
    assert not [
        name for name in (*(one.name for one in made), *(one.name for one in refused)) if name.startswith("openvino")
    ]


@pytest.mark.parametrize("content", (b"<html></html>", b"hello", np.zeros(16, np.uint8).tobytes()))
def test_other_xml_is_refused_before_openvino_sees_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "page.xml").write_bytes(content)
    with pytest.raises(InputError, match="is not an OpenVINO model"):
        examine(tmp_path / "page.xml", trust=False)


def test_telemetry_stays_away_unless_something_else_brought_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    refuse_telemetry()
    found: dict[str, object] = dict(sys.modules)
    assert found["openvino_telemetry"] is None
    monkeypatch.setitem(sys.modules, "openvino_telemetry", sys)
    refuse_telemetry()
    assert sys is sys.modules["openvino_telemetry"]


@pytest.mark.parametrize(
    ("said", "expected"),
    (
        ("Exception from a.cpp:1:\nCheck failed\n\nit is broken\n\n", "it is broken"),
        (
            "Summary:\n-- No conversion rule found for operations: Odd\nsee the manual",
            "No conversion rule found for operations: Odd",
        ),
        ("", "RuntimeError"),
    ),
)
def test_of_an_error_the_part_that_tells_is_kept(said: str, expected: str) -> None:
    assert expected == last_line(RuntimeError(said))
