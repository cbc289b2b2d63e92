"""Names to implementations: the one place where a runtime is chosen."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from modeldyno.protocols import Runtime
from modeldyno.records.artifact import ModelFormat
from modeldyno.records.deployment import RuntimeName
from modeldyno.records.signature import Signature

RUNTIMES_OF: dict[ModelFormat, tuple[RuntimeName, ...]] = {
    "onnx": ("onnxruntime",),
    "sklearn": ("scikit-learn",),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "openvino": ("openvino",),
    "saved-model": ("openvino",),
    "keras": ("openvino",),
    "python": ("python",),
    "torch-export": ("pytorch",),
    "torchscript": ("pytorch",),
    "torch-module": ("pytorch",),
    "torch-aoti": ("pytorch",),
    "transformers": ("pytorch",),
    "compiled-trees": ("compiled-trees",),
}
"""Which runtimes open which format."""

PLATFORMS: dict[RuntimeName, str] = {
    "onnxruntime": "onnxruntime_onnx",
    "scikit-learn": "scikit-learn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "openvino": "openvino",
    "python": "python",
    "pytorch": "pytorch",
    "compiled-trees": "compiled-trees",
}
"""Runtime to the `platform` of the Open Inference Protocol's model metadata; Triton's own word for ONNX Runtime."""


def runtime_named(name: RuntimeName, *, trust: bool = False, entry: str = "") -> Runtime:
    """The runtime of that name; its library is imported when a session is opened.

    Args:
        name: of the runtime.
        trust: whether the user vouches for what is opened, so that opening may run code from it.
        entry: what is meant in a Python file.
    """
    return _RUNTIMES[name](trust, entry)


def _onnxruntime(_trust: bool, _entry: str) -> Runtime:  # noqa: FBT001 - all of `_RUNTIMES` are called alike
    from modeldyno.runtimes.onnx_runtime import OnnxRuntime

    return OnnxRuntime()


def _scikit(trust: bool, _entry: str) -> Runtime:  # noqa: FBT001 - see above
    from modeldyno.models.scikit.estimator import load_scikit
    from modeldyno.runtimes.scikit import ScikitRuntime

    return ScikitRuntime(partial(load_scikit, trust=trust))


def _xgboost(_trust: bool, _entry: str) -> Runtime:  # noqa: FBT001 - see above
    from modeldyno.models.boosters.xgboost_file import load_xgboost
    from modeldyno.runtimes.boosters import XGBOOST, BoosterRuntime

    return BoosterRuntime(XGBOOST, load_xgboost)


def _lightgbm(_trust: bool, _entry: str) -> Runtime:  # noqa: FBT001 - see above
    from modeldyno.models.boosters.lightgbm_file import load_lightgbm
    from modeldyno.runtimes.boosters import LIGHTGBM, BoosterRuntime

    return BoosterRuntime(LIGHTGBM, load_lightgbm)


def _openvino(trust: bool, _entry: str) -> Runtime:  # noqa: FBT001 - see above
    from modeldyno.models.keras.file import read_keras
    from modeldyno.runtimes.open_vino import OpenVinoRuntime

    return OpenVinoRuntime(partial(read_keras, trust=trust))


def _python(trust: bool, entry: str) -> Runtime:  # noqa: FBT001 - see above
    from modeldyno.models.python_file import answers_of
    from modeldyno.runtimes.python_callable import PythonRuntime

    return PythonRuntime(lambda path, signature: answers_of(path, entry, signature, trust=trust))


def _pytorch(trust: bool, entry: str) -> Runtime:  # noqa: FBT001 - see above
    from modeldyno.models.torch.execution import read_program
    from modeldyno.models.torch.module import load_module
    from modeldyno.runtimes.pytorch import PyTorchRuntime

    def make_module(path: Path, signature: Signature) -> object:
        return load_module(path, entry, signature, trust=trust)

    return PyTorchRuntime(partial(read_program, trust=trust, make_module=make_module))


def _compiled_trees(trust: bool, _entry: str) -> Runtime:  # noqa: FBT001 - see above
    from modeldyno.models.trees.library import load_compiled_trees
    from modeldyno.runtimes.compiled_trees import CompiledTreesRuntime

    return CompiledTreesRuntime(partial(load_compiled_trees, trust=trust))


_RUNTIMES: dict[RuntimeName, Callable[[bool, str], Runtime]] = {
    "onnxruntime": _onnxruntime,
    "scikit-learn": _scikit,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "openvino": _openvino,
    "python": _python,
    "pytorch": _pytorch,
    "compiled-trees": _compiled_trees,
}
