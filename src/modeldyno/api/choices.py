"""Names to implementations: the one place where a runtime is chosen."""

from pathlib import Path

from modeldyno.errors import UsageError
from modeldyno.protocols import Runtime
from modeldyno.records.artifact import ModelFormat
from modeldyno.records.deployment import RuntimeName

RUNTIMES_OF: dict[ModelFormat, tuple[RuntimeName, ...]] = {"onnx": ("onnxruntime",), "sklearn": ("scikit-learn",)}
"""Which runtimes open which format."""

PLATFORMS: dict[RuntimeName, str] = {"onnxruntime": "onnxruntime_onnx", "scikit-learn": "scikit-learn"}
"""Runtime to the `platform` of the Open Inference Protocol's model metadata; Triton's own word for ONNX Runtime."""


def runtime_named(name: RuntimeName, *, trust: bool = False) -> Runtime:
    """The runtime of that name; its library is imported when a session is opened.

    Args:
        name: of the runtime.
        trust: whether the user vouches for what is opened, so that opening may run code from it.
    """
    if name == "onnxruntime":
        from modeldyno.runtimes.onnx_runtime import OnnxRuntime

        return OnnxRuntime()
    if name == "scikit-learn":
        from modeldyno.models.scikit import load_scikit
        from modeldyno.runtimes.scikit import ScikitRuntime

        def load(path: Path) -> object:
            return load_scikit(path, trust=trust)

        return ScikitRuntime(load)
    raise UsageError(f"unknown runtime {name!r}", hint=f"one of: {', '.join(PLATFORMS)}")
