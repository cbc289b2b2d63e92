"""Execution providers: chosen, refused where they are not there, and never left silently for another.

CUDA and TensorRT are stood in for by an engine that says what theirs would; OpenVINO's is real where it is installed.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.models.examine import examine
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes import installed, onnx_providers
from modeldyno.runtimes.onnx_providers import provider_arguments, provider_for
from modeldyno.runtimes.onnx_runtime import OnnxRuntime, session_options
from modeldyno.testing import models as samples
from modeldyno.testing import runtime_kit as kit

CUDA = SessionSettings(device="cuda")
TENSORRT = SessionSettings(device="cuda", mode="tensorrt")
OPENVINO = SessionSettings(mode="openvino", threads=2)


@pytest.fixture
def everything_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_providers, "execution_providers", lambda: {"CUDA", "Tensorrt", "OpenVINO", "CPU"})


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    return samples.write_dense_onnx(tmp_path / "dense.onnx")


class Library:
    """Stands in for `onnxruntime.InferenceSession`: these providers are active, and those got the operators."""

    def __init__(self, active: Sequence[str], takers: Sequence[str]) -> None:
        import onnxruntime

        self._real = onnxruntime.InferenceSession
        self._active, self._takers = active, takers
        self.arguments: dict[str, Any] = {}

    def __call__(self, path: str, options: Any, **arguments: Any) -> Any:
        self.arguments = arguments
        real = self._real(path, options, providers=["CPUExecutionProvider"])
        return SimpleNamespace(
            run=real.run,
            get_inputs=real.get_inputs,
            get_outputs=real.get_outputs,
            get_providers=lambda: [f"{name}ExecutionProvider" for name in self._active],
            get_provider_graph_assignment_info=lambda: [
                SimpleNamespace(ep_name=f"{name}ExecutionProvider") for name in self._takers
            ],
        )


def stand_in(monkeypatch: pytest.MonkeyPatch, active: Sequence[str], takers: Sequence[str]) -> Library:
    library = Library(active, takers)
    monkeypatch.setattr("onnxruntime.InferenceSession", library)
    return library


def test_the_processor_is_what_nothing_else_was_asked_of() -> None:
    assert provider_for(SessionSettings(threads=3)) is None
    assert ["CPUExecutionProvider"] == provider_arguments(None, SessionSettings())


@pytest.mark.usefixtures("everything_is_there")
def test_a_gpu_computes_in_full_single_precision_and_leaves_the_rest_to_the_processor() -> None:
    chosen = provider_for(CUDA)
    assert [
        ("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}),
        "CPUExecutionProvider",
    ] == provider_arguments(chosen, CUDA)


@pytest.mark.usefixtures("everything_is_there")
def test_tensorrt_leaves_what_it_cannot_to_cuda() -> None:
    first, second, last = provider_arguments(provider_for(TENSORRT), TENSORRT)
    assert ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider") == (first[0], second[0], last)


@pytest.mark.usefixtures("everything_is_there")
def test_openvino_gets_the_threads_and_the_precision_of_the_session() -> None:
    (name, options), _ = provider_arguments(provider_for(OPENVINO), OPENVINO)
    properties = json.loads(options["load_config"])["CPU"]
    assert ("OpenVINOExecutionProvider", "CPU") == (name, options["device_type"])
    assert {"INFERENCE_NUM_THREADS": "2", "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": "f32"} == properties


@pytest.mark.parametrize(
    ("settings", "name", "package"),
    ((CUDA, "CUDA", "onnxruntime-gpu"), (TENSORRT, "Tensorrt", "tensorrt"), (OPENVINO, "OpenVINO", "-openvino")),
)
def test_a_provider_that_is_not_installed_is_refused_with_what_is_and_the_command(
    monkeypatch: pytest.MonkeyPatch, dense: Path, settings: SessionSettings, name: str, package: str
) -> None:
    monkeypatch.setattr(onnx_providers, "execution_providers", lambda: {"CPU"})
    with pytest.raises(UsageError, match=f"no {name} execution provider") as caught:
        OnnxRuntime().open(dense, examine(dense, trust=False).signature, settings)
    assert "from onnxruntime" in caught.value.why
    assert "execution providers" in caught.value.why
    assert "pip install" in caught.value.hint
    assert package in caught.value.hint


def test_two_distributions_at_once_are_named_where_a_provider_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {"onnxruntime": ["onnxruntime", "onnxruntime-gpu"]}
    monkeypatch.setattr(installed, "packages_distributions", lambda: owners)
    monkeypatch.setattr(onnx_providers, "execution_providers", lambda: {"CPU"})
    with pytest.raises(UsageError) as caught:
        provider_for(CUDA)
    assert "onnxruntime-gpu" in caught.value.why
    assert "uninstall all but one" in caught.value.why


@pytest.mark.parametrize(
    ("settings", "words"),
    (
        (SessionSettings(mode="compiled"), "does not compute by 'compiled on cpu'"),
        (SessionSettings(device="cuda", mode="openvino"), "does not compute by 'openvino on cuda'"),
        (SessionSettings(precision="bf16"), "cannot compute in bf16 on request"),
    ),
)
def test_settings_that_onnx_runtime_has_not_are_refused(settings: SessionSettings, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        provider_for(settings)


@pytest.mark.usefixtures("everything_is_there")
def test_a_session_by_another_provider_answers_and_never_opens_a_second_time_with_others(
    monkeypatch: pytest.MonkeyPatch, dense: Path
) -> None:
    library = stand_in(monkeypatch, ["CUDA", "CPU"], ["CPU", "CUDA"])
    session = OnnxRuntime().open(dense, examine(dense, trust=False).signature, CUDA)
    found = session.run({"x": np.ones((2, 256), np.float32)})
    assert (2, 256) == found["y"].shape
    assert "CUDAExecutionProvider" == library.arguments["providers"][0][0]
    assert 0 == library.arguments["enable_fallback"]


@pytest.mark.usefixtures("everything_is_there")
@pytest.mark.parametrize(
    ("active", "takers", "words"),
    (
        (["CPU"], ["CPU"], "went on without its CUDA execution provider"),
        (["CUDA", "CPU"], ["CPU", "CPU"], "takes no operator of this model"),
    ),
)
def test_what_falls_back_to_the_processor_is_an_error(
    monkeypatch: pytest.MonkeyPatch, dense: Path, active: list[str], takers: list[str], words: str
) -> None:
    stand_in(monkeypatch, active, takers)
    with pytest.raises(ToolError, match=words) as caught:
        OnnxRuntime().open(dense, examine(dense, trust=False).signature, CUDA)
    assert "CPU" in caught.value.why


def test_the_library_tells_who_takes_which_operators(dense: Path) -> None:
    """What the check reads is there in the ONNX Runtime that is installed."""
    import onnxruntime

    options = session_options(1)
    onnx_providers.remember_assignments(options)
    engine = onnxruntime.InferenceSession(str(dense), options, providers=["CPUExecutionProvider"])
    assert {"CPUExecutionProvider"} == {one.ep_name for one in engine.get_provider_graph_assignment_info()}


def test_openvino_inside_of_onnx_runtime_keeps_every_rule(dense: Path) -> None:
    if not onnx_providers.is_provider_installed("cpu", "openvino"):
        pytest.skip("this ONNX Runtime has no OpenVINO execution provider")

    class Inside:
        name, formats = "onnxruntime", frozenset({"onnx"})

        def open(self, path: Path, signature: Any, settings: SessionSettings) -> Any:
            return OnnxRuntime().open(path, signature, SessionSettings(threads=settings.threads, mode="openvino"))

    rows = {"x": np.random.default_rng(0).random((7, 256), dtype=np.float32)}
    kit.check_runtime(Inside(), dense, examine(dense, trust=False).signature, rows)


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_model_that_the_provider_cannot_load_says_which_it_was(monkeypatch: pytest.MonkeyPatch, dense: Path) -> None:
    monkeypatch.setattr(onnx_providers, "execution_providers", lambda: {"CUDA"})
    signature = examine(dense, trust=False).signature
    dense.write_bytes(dense.read_bytes()[:40])
    with pytest.raises(InputError, match="with its CUDA execution provider"):
        OnnxRuntime().open(dense, signature, CUDA)
