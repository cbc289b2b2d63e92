"""OpenVINO and NNCF as this package imports them, only when used and without telemetry, and how it reads models."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError, UsageError

INSTALL = "pip install 'modeldyno[openvino]'"


def is_openvino_installed() -> bool:
    """Whether `load_openvino` would find it; nothing is imported."""
    from importlib.util import find_spec

    return find_spec("openvino") is not None


def load_openvino() -> Any:
    """The module `openvino`.

    Raises:
        UsageError: it is not installed, or does not load; names the command.
    """
    refuse_telemetry()
    return _imported("openvino", "OpenVINO")


def load_nncf() -> Any:
    """The module `nncf`, OpenVINO's quantiser.

    Raises:
        UsageError: it is not installed, or does not load; names the command.
    """
    refuse_telemetry()
    return _imported("nncf", "NNCF, OpenVINO's quantiser,")


def refuse_telemetry() -> None:
    """Have OpenVINO and NNCF find their telemetry missing.

    Importing either sends an event to Intel unless a file in the home directory says no
    (openvino/tools/ovc/__init__.py); both go on without the package `openvino_telemetry`. A module of None is
    Python's own way of saying that an import fails (docs.python.org, "The module cache").
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def read_network(path: Path) -> Any:
    """The `openvino.Model` in a .xml or .onnx file, or in the folder of a `saved_model.pb`.

    Raises:
        InputError: it cannot be read, or has operators that OpenVINO does not know.
        UsageError: OpenVINO is not installed.
    """
    if path.suffix == ".xml":
        _refuse_other_xml(path)
    openvino = load_openvino()
    try:
        return openvino.Core().read_model(str(path.parent if path.name == "saved_model.pb" else path))
    except RuntimeError as problem:
        raise InputError(
            f"OpenVINO cannot read {path}",
            why=last_line(problem),
            hint="`dyno inspect` tells what is in the file; a .xml file needs its .bin beside it",
        ) from problem


def last_line(problem: Exception) -> str:
    """What an error of OpenVINO says in the end; before it come places in its source."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    # Operations that it does not know are listed before a link to its manual.
    listed = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    return "; ".join(listed) or (lines[-1] if lines else type(problem).__name__)


def _imported(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ImportError as problem:
        missing = isinstance(problem, ModuleNotFoundError) and problem.name == module
        raise UsageError(
            f"{name} is not installed" if missing else f"{name} does not load",
            why="" if missing else str(problem),
            hint=INSTALL,
        ) from problem


def _refuse_other_xml(path: Path) -> None:
    """OpenVINO tries all its readers on what is not its own, and these complain on standard error."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4096)
    except OSError as problem:
        raise InputError(f"cannot read the model {path}", why=problem.strerror or str(problem)) from problem
    if b"<net" not in start:
        raise InputError(f"{path} is not an OpenVINO model", why="it does not begin with a <net> element")
