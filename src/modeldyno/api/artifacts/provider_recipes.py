"""The same ONNX file, computed by another execution provider of ONNX Runtime; each where it is installed.

The answers differ a little from those of the processor's own kernels, so each is an artifact that is judged by itself.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from modeldyno.api.artifacts.opening import ORIGINAL
from modeldyno.api.artifacts.recipe import ONNX_FP32, Recipe, Situation, opened_with
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import SessionSettings
from modeldyno.runtimes.onnx_providers import is_provider_installed

_CUDA = SessionSettings(device="cuda")
_TENSORRT = SessionSettings(device="cuda", mode="tensorrt")
_OPENVINO = SessionSettings(mode="openvino")


def _concerns(settings: SessionSettings) -> Callable[[Situation, Artifact], bool]:
    def is_installed_for(_situation: Situation, parent: Artifact) -> bool:
        is_plain = parent.format == "onnx" and parent.precision in ("fp32", "mixed")
        return is_plain and is_provider_installed(settings.device, settings.mode)

    return is_installed_for


def _computed(
    settings: SessionSettings, provider: str, _situation: Situation, parent: Artifact, _place: Path
) -> Artifact:
    return opened_with(settings, f"computed by the {provider} execution provider", parent)


def _recipe(name: str, settings: SessionSettings, provider: str, *, does: str, package: str) -> Recipe:
    return Recipe(
        name=name,
        stage="convert",
        parents=(ONNX_FP32, ORIGINAL),
        concerns=_concerns(settings),
        make=partial(_computed, settings, provider),
        does=does,
        needs=f"ONNX in single precision, and {package} installed in place of onnxruntime",
    )


PROVIDER_RECIPES: tuple[Recipe, ...] = (
    _recipe(
        "onnx-cuda",
        _CUDA,
        "CUDA",
        does="computed on the GPU by ONNX Runtime's own kernels, in full single precision",
        package="onnxruntime-gpu",
    ),
    _recipe(
        "onnx-tensorrt",
        _TENSORRT,
        "TensorRT",
        does="computed on the GPU by TensorRT, which rounds products to TF32",
        package="onnxruntime-gpu with tensorrt",
    ),
    _recipe(
        "onnx-openvino",
        _OPENVINO,
        "OpenVINO",
        does="computed by OpenVINO inside of ONNX Runtime, in single precision",
        package="onnxruntime-openvino",
    ),
)
"""In the order in which they are tried."""
