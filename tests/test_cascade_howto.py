"""The commands of docs/howto/build-a-cascade.md, run as they stand there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modeldyno.api.served.server_process import ServerProcess
from modeldyno.api.subjects import subject_at
from modeldyno.clock import SystemClock
from modeldyno.processing.operations import OPERATIONS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "howto" / "build-a-cascade.md").read_text()
CANNOT_TELL = 4
"""What `dyno tune` may end with on a machine that is busy; the bundle is written all the same."""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_names_every_operation() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert not set(OPERATIONS) - named


@pytest.mark.slow
def test_the_commands_of_the_page_build_a_cascade_that_answers_as_the_evaluation_says(tmp_path: Path) -> None:
    import tritonclient.http

    (tmp_path / "digits").mkdir()
    for name, content in zip(("pixels", "words"), blocks("json"), strict=True):
        (tmp_path / "digits" / f"{name}.json").write_text(content)
    commands = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    (serving,) = [command[1:] for command in commands if command[:2] == ["dyno", "serve"]]
    for program, *arguments in commands:
        if program == "python":
            run([str(ROOT / arguments[0]), *arguments[1:]], tmp_path)
        elif arguments[0] != "serve":
            accepted = {0, CANNOT_TELL} if arguments[0] == "tune" else {0}
            assert run(["-m", "modeldyno", *arguments], tmp_path) in accepted, arguments

    rows = np.load(tmp_path / "digits" / "digits.npz")["X"]
    # Both are asked alike, for all rows and for one: of a model with dynamic int8, which the search may choose, a row's
    # answer depends on the rows beside it.
    questions = [rows, *(rows[row : row + 1] for row in range(0, len(rows), 5))]
    session = subject_at(tmp_path / "digits" / "digits.cascade", trust=False, task=None).open()
    expected = [session.run({"input": question}) for question in questions]
    session.close()
    place = str(tmp_path / serving[1])
    with (
        ServerProcess(
            "modeldyno", ["serve", place, "--port", "0", "--json"], log=tmp_path / "log", clock=SystemClock()
        ) as one,
        tritonclient.http.InferenceServerClient(json.loads(one.first_line)["url"].removeprefix("http://")) as client,
    ):
        for question, outputs in zip(questions, expected, strict=True):
            tensor = tritonclient.http.InferInput("input", list(question.shape), "FP32")
            tensor.set_data_from_numpy(question)
            answer = client.infer("digits", [tensor])
            for name in ("label", "cascade_stage"):
                np.testing.assert_array_equal(outputs[name], answer.as_numpy(name))

    pipeline = subject_at(tmp_path / "digits" / "words.pipeline", trust=False, task=None).open()
    made = pipeline.run({"pixels": (rows * 16).astype(np.uint8)})
    pipeline.close()
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    assert [word.decode() for word in made["word"]] == [words[label] for label in expected[0]["label"]]


def run(arguments: list[str], folder: Path) -> int:
    return subprocess.run([sys.executable, *arguments], cwd=folder, check=False, capture_output=True).returncode
