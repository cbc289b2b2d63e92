"""Environments of their own under `.venvs/`, the peers' made from `peers/NAME.txt`, when they are not there."""

import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

_HERE = Path(__file__).parent
ENVIRONMENTS = _HERE / ".venvs"


class NotInstallableError(Exception):
    """What cannot be had here; its text says why."""


def peer_program(name: str, program: str) -> str:
    """The path of a program in the environment `name`, installed if need be.

    Raises:
        NotInstallableError: pip could not.
    """
    pins = _HERE / "peers" / f"{name}.txt"
    environment = ENVIRONMENTS / name

    def make() -> None:
        run_pip(create_environment(environment), "install", "-r", str(pins))

    make_once(environment, pins.read_text(), make)
    path = environment / "bin" / program
    if not path.exists():
        raise NotInstallableError(f"its package brings no {program}")
    return str(path)


def make_once(environment: Path, made_of: str, make: Callable[[], None]) -> None:
    """Call `make`, which fills this directory, unless it did so to the end before, of the same."""
    marker = environment / ".complete"
    if not marker.exists() or marker.read_text() != made_of:
        print(f"installing {environment.name} into {environment}", flush=True)
        make()
        marker.write_text(made_of)


def create_environment(directory: Path) -> str:
    """An empty environment in the place of what was there: the path of its Python.

    Raises:
        NotInstallableError: it failed.
    """
    run_program(sys.executable, "-m", "venv", "--clear", str(directory))
    return str(directory / "bin" / "python")


def run_pip(python: str, *words: str, environment: Mapping[str, str] | None = None) -> None:
    """The pip of this Python.

    Raises:
        NotInstallableError: it failed.
    """
    run_program(python, "-m", "pip", *words, "-q", "--disable-pip-version-check", environment=environment)


def system_program(name: str) -> str:
    """The path of a program that Debian has, installed if need be.

    Raises:
        NotInstallableError: apt could not, for want of rights or of the network.
    """
    path = shutil.which(name)
    if path is None:
        run_program("apt-get", "install", "-y", "-q", name)
        path = shutil.which(name)
    if path is None:
        raise NotInstallableError(f"the package {name} brings no program of that name")
    return path


def need_library(name: str, package: str) -> None:
    """Have a shared library, such as `b64` of the package `libb64-0d`.

    Raises:
        NotInstallableError: apt could not.
    """
    if ctypes.util.find_library(name) is None:
        run_program("apt-get", "install", "-y", "-q", package)


def peer_versions(*packages: str) -> dict[str, str]:
    """What `peers/*.txt` pins of these packages; a package's own file goes before the others that need it."""
    by_file = {
        pins.stem: dict(line.split("==", 1) for line in pins.read_text().splitlines() if "==" in line)
        for pins in sorted((_HERE / "peers").glob("*.txt"))
    }
    anywhere = {name: number for pinned in by_file.values() for name, number in pinned.items()}
    return {name: by_file.get(name, anywhere).get(name, anywhere[name]) for name in packages}


def run_program(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """What a program printed.

    Args:
        command: the program and its words.
        environment: variables that are set beside those of this process.

    Raises:
        NotInstallableError: the program is not there, or failed.
    """
    variables = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=variables)
    except OSError as problem:
        raise NotInstallableError(f"{command[0]}: {problem.strerror}") from problem
    if done.returncode:
        said = last_words(done.stderr) or last_words(done.stdout) or str(done.returncode)
        raise NotInstallableError(f"{' '.join(command[:4])} ... failed: {said}")
    return done.stdout


def last_words(said: str) -> str:
    """The last line; where pip tells what a build said, the build's last before its traceback.

    Below that, pip says no more than to look above.
    """
    build = said.partition(" of output]\n")[2].partition("[end of output]")[0]
    lines = (build.partition("Traceback")[0].strip() or build.strip() or said.strip()).splitlines()
    return lines[-1].strip() if lines else ""
