"""The files and commands of docs/howto/prepare-data.md, as they stand there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.subjects import subject_at
from modeldyno.records.data_document import DataDocument
from modeldyno.records.files import from_json
from modeldyno.records.preparation import Preparation

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "howto" / "prepare-data.md").read_text()
CANNOT_TELL = 4
"""What `dyno tune` may end with on a machine that is busy; the bundle is written all the same."""


def blocks(kind: str) -> list[tuple[str, str]]:
    """Name of the file and content of each block."""
    return re.findall(rf"```{kind} ?(\S*)\n(.*?)```", PAGE, re.DOTALL)


def test_every_document_of_the_page_is_one() -> None:
    assert ["", "steps.json", "test.json"] == [name for name, _ in blocks("json")]
    for name, content in blocks("json"):
        from_json(content.encode(), Preparation if name == "steps.json" else DataDocument, name)


def test_every_step_and_operation_is_named_on_the_page() -> None:
    from typing import get_args

    steps = get_args(Preparation.__annotations__["steps"])[0]
    missing = [one.__struct_config__.tag for one in get_args(steps) if f"`{one.__struct_config__.tag}`" not in PAGE]
    assert [] == missing


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_the_page_prepare_train_evaluate_and_combine(tmp_path: Path) -> None:
    for name, content in (*blocks("json"), *blocks("python")):
        if name:
            (tmp_path / name).write_text(content)
    for _, block in blocks("sh"):
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            if arguments[0] == "serve":
                continue
            command = arguments if program == "python" else ["-m", "modeldyno", *arguments]
            done = subprocess.run([sys.executable, *command], cwd=tmp_path, check=False, capture_output=True, text=True)
            accepted = {0, CANNOT_TELL} if arguments[0] == "tune" else {0}
            assert done.returncode in accepted, (line, done.stderr)
    session = subject_at(tmp_path / "out" / "whole.pipeline", trust=False, task=None).open()
    colour = np.empty(2, object)
    colour[:] = [b"red", b"blue"]
    answers = session.run({"length": np.array([4.0, -3]), "width": np.array([np.nan, 5]), "colour": colour})
    session.close()
    assert [1, 0] == answers["label"].tolist()
    assert "<h3>Noise</h3>" in (tmp_path / "quality.html").read_text()
