"""Compiles the way of a request through the server to machine code, for wheels of one platform.

Off unless asked for: `make wheel`, or `HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 pip wheel .`. Which modules, and why, is in
`docs/decisions/0024-compiled-serving-path.md`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileHook(BuildHookInterface[BuilderConfig]):
    """Adds the compiled modules to the wheel, beside their sources, which stay for tracebacks.

    `modules` in pyproject.toml names them, relative to the package.
    """

    def dependencies(self) -> list[str]:
        """See hatchling; the libraries are there for their types, by which mypyc compiles."""
        return [*self.metadata.core.dependencies, "mypy>=2.4,<3", "setuptools>=80"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling: called before the files are taken.

        Raises:
            subprocess.CalledProcessError: what mypyc or the C compiler found wrong is on standard error.
        """
        if version == "editable":
            return
        # In a copy: beside the sources, the editable installation would import what was compiled, whatever is edited.
        self._copy = Path(tempfile.mkdtemp(prefix="modeldyno-compiled-"))
        package = self._copy / "src" / "modeldyno"
        shutil.copytree(Path(self.root, "src", "modeldyno"), package)
        shutil.copy(Path(self.root, "pyproject.toml"), self._copy)
        modules = [f"modeldyno/{name}" for name in self.config["modules"]]
        command = [sys.executable, "-m", "mypyc", *modules]
        environment = {"MYPYC_DEBUG_LEVEL": "0", **os.environ}
        try:
            subprocess.run(command, cwd=package.parent, env=environment, stdout=sys.stderr, check=True)
        except BaseException:  # a keystroke as well
            shutil.rmtree(self._copy)
            raise
        made = [*package.parent.glob("*.so"), *package.rglob("*.so")]
        build_data["force_include"].update({str(file): str(file.relative_to(package.parent)) for file in made})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's
        """See hatchling: called when the wheel is there."""
        if version != "editable":
            shutil.rmtree(self._copy)
