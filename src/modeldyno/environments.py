"""Environments of their own for work whose requirements clash with what is installed here.

One lies over the environment of this process: it holds what pip installs for the requirements, and finds the rest where
we find it. So it costs what differs and no more. They are kept below `XDG_CACHE_HOME` and made again when anything
that they were made from has changed; deleting them is safe.
"""

import fcntl
import hashlib
import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, distributions, requires
from pathlib import Path

from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.protocols import Progress
from modeldyno.records.base import Record
from modeldyno.records.files import output_problem
from modeldyno.units import format_duration

TIMEOUT_NS = 900_000_000_000
"""For pip: PyTorch is hundreds of megabytes."""
_COMPLETE = "complete"
"""A file that is written last: an environment without it is half made."""
_UNREACHABLE = ("NewConnectionError", "connection broken", "Name or service not known", "Temporary failure in name")
_LAST_LINES = 4
_VERSIONS = re.compile(r" \(from versions: .*\)")


class Requirements(Record, frozen=True, kw_only=True):
    """What an environment holds beyond what is installed here."""

    names: tuple[str, ...] = ()
    """As pip takes them: `xgboost-cpu>=3.1`."""
    file: str = ""
    """A file of requirements in pip's form; its directory counts too, for pip reads relative paths from it."""


def requirements_of_extra(extra: str) -> Requirements:
    """What the package says that an extra of its own needs.

    Raises:
        UsageError: Modeldyno is not installed as a package, so that nobody can tell.
    """
    try:
        stated = requires("modeldyno") or []
    except PackageNotFoundError as problem:
        raise UsageError(
            "what an environment for this format needs is not known",
            why="Modeldyno runs from its source and is not installed",
            hint="pip install -e . in its folder, or name the requirements: --requirements FILE",
        ) from problem
    split = [line.partition(";") for line in stated]
    names = [name.strip() for name, _, marker in split if marker.replace('"', "'").strip() == f"extra == '{extra}'"]
    return Requirements(names=tuple(sorted(names)))


def requirements_in(path: Path) -> Requirements:
    """A file of requirements.

    Raises:
        InputError: it cannot be read, or names nothing.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"cannot read the requirements {path}", why=why, hint="check the path") from problem
    if not any(line.strip() and not line.strip().startswith("#") for line in lines):
        raise InputError(f"{path} names no requirement", hint="one a line, such as scikit-learn==1.5.2")
    return Requirements(file=str(path.resolve()))


def environment_for(requirements: Requirements, *, progress: Progress, timeout_ns: int = TIMEOUT_NS) -> Path:
    """The Python interpreter of an environment that holds `requirements`: one made before, or else made now.

    Args:
        requirements: what is to be installed.
        progress: where to report that it takes a while.
        timeout_ns: wall-clock time for pip.

    Raises:
        OutputError: the cache cannot be written.
        ToolError: pip failed, took too long, or cannot reach its index.
        UsageError: there is no pip.
    """
    folder = environments_folder() / _digest(requirements)
    python = folder / "bin" / "python"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock"), progress):
            if not (folder / _COMPLETE).is_file():
                progress.start("making an environment for the converter")
                try:
                    _make(folder, requirements, timeout_ns)
                finally:
                    progress.end()
    except OSError as problem:
        raise output_problem(folder, problem) from problem
    return python


def environments_folder() -> Path:
    """Where they are kept, as the XDG Base Directory Specification places it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path is invalid and is to be ignored.
    cache = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return cache / "modeldyno" / "environments"


def _digest(requirements: Requirements) -> str:
    """Of all that decides what pip would install, as far as it is here: an index may offer more tomorrow."""
    file = requirements.file
    installed = sorted(f"{one.name}=={one.version}" for one in distributions())
    parts = [
        sys.version,
        sys.prefix,
        *_our_path(),
        *installed,
        *requirements.names,
        *((str(Path(file).parent), Path(file).read_text()) if file else ()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _our_path() -> list[str]:
    """Where our modules are found, but for those of Python itself, which the environment has of its own."""
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    places = [str(Path(entry).resolve()) for entry in sys.path if entry and Path(entry).is_dir()]
    return [place for place in places if place not in standard and Path(place).name != "lib-dynload"]


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    """Alone with an environment: two that made it at a time would spoil it. The lock ends with its process."""
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another process is making the environment: waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _make(folder: Path, requirements: Requirements, timeout_ns: int) -> None:
    if PathFinder.find_spec("pip") is None:  # by this finder only: another one warns when it finds pip
        raise UsageError("pip is not installed here", why="it fills environments", hint="python -m ensurepip")
    _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], "making the environment", timeout_ns)
    site = next((folder / "lib").glob("python*/site-packages"))
    # Found last, so that what pip installs goes before what is here.
    (site / "modeldyno-made-from.pth").write_text("".join(f"{place}\n" for place in _our_path()))
    asked = ["--requirement", requirements.file] if requirements.file else list(requirements.names)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", "--no-input", *asked], "pip install", timeout_ns)
    (folder / _COMPLETE).touch()


def _run(command: list[str], doing: str, timeout_ns: int) -> None:
    # What a user's PYTHONPATH names is on the path already, in its own order.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=surroundings, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=timeout_ns / 1e9)
    except subprocess.TimeoutExpired as problem:
        raise ToolError(
            f"{doing} took longer than {format_duration(timeout_ns)} and was stopped",
            hint="try again: what was downloaded is kept by pip",
        ) from problem
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        raise _failed(doing, said.decode(errors="replace"))


def _failed(doing: str, said: str) -> ToolError:
    # Each retry is a line, and the versions there are fill another.
    lines = [line.strip() for line in said.splitlines() if line.strip() and "Retrying (" not in line]
    last = " / ".join(_VERSIONS.sub("", line) for line in lines[-_LAST_LINES:])
    if any(sign in said for sign in _UNREACHABLE):
        return ToolError(
            f"{doing} cannot reach the package index",
            why=last,
            hint="pip's own settings hold here: pip config set global.find-links FOLDER, or index-url",
        )
    return ToolError(f"{doing} failed", why=last, hint="correct the requirements, or install them by hand to see more")
