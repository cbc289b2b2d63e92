"""Ours as it is to be installed: the compiled wheel of this tree, in an environment of its own under `.venvs/`."""

import sys
import tempfile
from pathlib import Path

from environments import ENVIRONMENTS, create_environment, make_once, run_pip, run_program
from running import HERE

from modeldyno.records.files import digest_files

TREE = HERE.parent
SOURCES = TREE / "src"
_LOCK = "locks/run.lock"
_ASKS = "from modeldyno.machine.environment import is_compiled; print(is_compiled())"


class NotCompiledError(Exception):
    """A wheel that was built and serves, but interpreted: a fault of the build, which no measurement is to hide."""


def compiled_python() -> str:
    """The Python that has the compiled wheel of this tree, built and installed if need be.

    Raises:
        NotInstallableError: there is no C compiler, or pip could not.
        NotCompiledError: see there.
    """
    environment = ENVIRONMENTS / "modeldyno"
    make_once(environment, digest_wheel(TREE), lambda: _make(environment))
    return str(environment / "bin" / "python")


def digest_wheel(tree: Path) -> str:
    """The digest of what decides how the wheel of this tree serves, the packages it is locked to included."""
    sources = sorted(str(path.relative_to(tree)) for path in tree.glob("src/modeldyno/**/*.py"))
    return digest_files(tree, [*sources, "pyproject.toml", "hatch_build.py", _LOCK])


def _make(environment: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        words = ["wheel", "--no-deps", "--no-build-isolation", "-w", directory, str(TREE)]
        run_pip(sys.executable, *words, environment={"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "1"})
        (wheel,) = Path(directory).glob("*.whl")
        python = create_environment(environment)
        run_pip(python, "install", "--require-hashes", "-r", str(TREE / _LOCK))
        run_pip(python, "install", "--no-deps", str(wheel))
    # Isolated, for PYTHONPATH may lead to the sources.
    if run_program(python, "-I", "-c", _ASKS).strip() != "True":
        raise NotCompiledError("the wheel is interpreted: see `modules` in pyproject.toml, and hatch_build.py")
