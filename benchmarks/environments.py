"""The peers' own environments under `.venvs/`, made from `peers/NAME.txt` when they are not there."""

import ctypes.util
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent


class NotInstallableError(Exception):
    """A peer that cannot be had here; its text says why."""


def peer_program(name: str, program: str) -> str:
    """The path of a program in the environment `name`, installed if need be.

    Raises:
        NotInstallableError: pip could not.
    """
    environment = _HERE / ".venvs" / name
    marker = environment / ".complete"
    pins = (_HERE / "peers" / f"{name}.txt").read_text()
    if not marker.exists() or marker.read_text() != pins:
        print(f"installing {name} into {environment}", flush=True)
        _run(sys.executable, "-m", "venv", "--clear", str(environment))
        pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        _run(*pip, "-r", str(_HERE / "peers" / f"{name}.txt"))
        marker.write_text(pins)
    path = environment / "bin" / program
    if not path.exists():
        raise NotInstallableError(f"its package brings no {program}")
    return str(path)


def system_program(name: str) -> str:
    """The path of a program that Debian has, installed if need be.

    Raises:
        NotInstallableError: apt could not, for want of rights or of the network.
    """
    path = shutil.which(name)
    if path is None:
        _run("apt-get", "install", "-y", "-q", name)
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
        _run("apt-get", "install", "-y", "-q", package)


def peer_versions(*packages: str) -> dict[str, str]:
    """What `peers/*.txt` pins of these packages; a package's own file goes before the others that need it."""
    by_file = {
        pins.stem: dict(line.split("==", 1) for line in pins.read_text().splitlines() if "==" in line)
        for pins in sorted((_HERE / "peers").glob("*.txt"))
    }
    anywhere = {name: number for pinned in by_file.values() for name, number in pinned.items()}
    return {name: by_file.get(name, anywhere).get(name, anywhere[name]) for name in packages}


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as problem:
        raise NotInstallableError(f"{command[0]}: {problem.strerror}") from problem
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstallableError(f"{' '.join(command[:4])} ... failed: {said[-1] if said else done.returncode}")
