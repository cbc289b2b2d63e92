"""Which runtimes are here, in which version, and how to install those that are not."""

from importlib.metadata import PackageNotFoundError, packages_distributions, version

from modeldyno.records.doctor import RuntimeState

_MODULES = (
    ("onnxruntime", "onnxruntime", "onnxruntime"),
    ("scikit-learn", "sklearn", "scikit-learn"),
    ("xgboost", "xgboost", "'modeldyno[trees]'"),
    ("lightgbm", "lightgbm", "'modeldyno[trees]'"),
    ("openvino", "openvino", "'modeldyno[openvino]'"),
    ("pytorch", "torch", "'modeldyno[torch]'"),
)
"""Runtime name, the module it is imported as, and what pip is to install."""


def describe_runtimes() -> tuple[RuntimeState, ...]:
    """Every runtime we know, installed or not."""
    owners = packages_distributions()
    return tuple(_describe(name, sorted(set(owners.get(module, ()))), source) for name, module, source in _MODULES)


def describe_onnx_runtime() -> str:
    """Which distribution of ONNX Runtime it is, with which execution providers; and whether several were installed."""
    return next(one.detail for one in describe_runtimes() if one.name == "onnxruntime")


def _describe(name: str, distributions: list[str], source: str) -> RuntimeState:
    """The state of one runtime; where several distributions bring the same module, the last one installed wins."""
    versions = {distribution: _version(distribution) for distribution in distributions}
    if not versions:
        return RuntimeState(name=name, version=None, detail=f"not installed: pip install {source}")
    detail = f"from {', '.join(f'{distribution} {number}' for distribution, number in versions.items())}"
    if len(versions) > 1:
        detail += ": these overwrite each other's files, uninstall all but one"
    if name == "onnxruntime":
        detail += f"; {_execution_providers()}"
    return RuntimeState(name=name, version=next(iter(versions.values())), detail=detail)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"


def execution_providers() -> tuple[str, ...]:
    """Those that the installed ONNX Runtime was built with, without `ExecutionProvider` in their names.

    Raises:
        ImportError: it is not installed, or does not load.
    """
    import onnxruntime

    return tuple(name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers())


def _execution_providers() -> str:
    try:
        return f"execution providers {', '.join(execution_providers())}"
    except ImportError as problem:
        return f"but it does not load: {problem}"
