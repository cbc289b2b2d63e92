import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from modeldyno import environments
from modeldyno.children import ChildLimits, run_child
from modeldyno.environments import Requirements, environment_for, environments_folder, requirements_in
from modeldyno.environments import requirements_of_extra as of_extra
from modeldyno.errors import InputError, OutputError, ToolError, UsageError
from modeldyno.protocols import Silent
from modeldyno.records.base import Record

CHILD = """
from modeldyno.children import answer
from modeldyno.records.base import Record

class Task(Record, frozen=True, kw_only=True):
    pass

class Result(Record, frozen=True, kw_only=True):
    word: str
    numpy: str
    prefix: str

def work(task):
    import sys, numpy, some_words
    return Result(word=some_words.WORD, numpy=numpy.__version__, prefix=sys.prefix)

if __name__ == "__main__":
    answer(work, Task)
"""


class Task(Record, frozen=True, kw_only=True):
    pass


class Result(Record, frozen=True, kw_only=True):
    word: str
    numpy: str
    prefix: str


def write_wheel(folder: Path, version: str, word: str, *, name: str = "some-words") -> None:
    """A package of one module, as pip takes it."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f"WORD = {word!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in (*files.items(), (f"{info}/RECORD", record)):
            wheel.writestr(path, content)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two versions of a package and no network; the older version is what is installed here."""
    write_wheel(tmp_path / "wheels", "1.0", "old")
    write_wheel(tmp_path / "wheels", "2.0", "new")
    here = tmp_path / "here"
    with zipfile.ZipFile(tmp_path / "wheels" / "some_words-1.0-py3-none-any.whl") as wheel:
        wheel.extractall(here)
    (here / "some_child.py").write_text(CHILD)
    monkeypatch.setattr(sys, "path", [str(here), *sys.path])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path / "wheels"


def asked(python: Path | None) -> Result:
    limits = ChildLimits(timeout_ns=60 * 10**9, memory_bytes=4 * 10**9)
    return run_child("some_child", Task(), Result, doing="working", limits=limits, python=python)


def test_a_child_there_has_what_was_asked_for_and_the_rest_from_here(wheels: Path) -> None:
    here = asked(None)
    there = asked(environment_for(Requirements(names=("some-words>=2",)), progress=Silent()))
    assert ("old", "new") == (here.word, there.word)
    assert here.numpy == there.numpy
    assert str(environments_folder()) == str(Path(there.prefix).parent)


def test_what_is_here_already_is_not_installed_again(wheels: Path) -> None:
    python = environment_for(Requirements(names=("some-words",)), progress=Silent())
    assert "old" == asked(python).word
    assert [] == list(python.parent.parent.glob("lib/*/site-packages/some_words*"))


def test_one_that_is_complete_is_used_again_without_pip(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = environment_for(Requirements(names=("some-words==2.0",)), progress=Silent())

    def refuse(*_: object) -> None:
        raise AssertionError("it was made again")

    monkeypatch.setattr(environments, "_make", refuse)
    assert first == environment_for(Requirements(names=("some-words==2.0",)), progress=Silent())
    with pytest.raises(AssertionError, match="made again"):
        environment_for(Requirements(names=("some-words==1.0",)), progress=Silent())


def test_one_that_is_half_made_is_made_again(wheels: Path) -> None:
    python = environment_for(Requirements(names=("some-words==2.0",)), progress=Silent())
    (python.parent.parent / "complete").unlink()
    (installed,) = python.parent.parent.glob("lib/*/site-packages/some_words.py")
    installed.write_text("WORD = 'half of a")
    assert "new" == asked(environment_for(Requirements(names=("some-words==2.0",)), progress=Silent())).word


def test_another_file_of_the_same_name_makes_another(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(environments, "_make", lambda _, held, __: made.append(Path(held.file).read_text()))
    for text in ("some-words==2.0\n", "some-words==1.0\n"):
        (tmp_path / "requirements.txt").write_text(text)
        environment_for(requirements_in(tmp_path / "requirements.txt"), progress=Silent())
    assert ["some-words==2.0\n", "some-words==1.0\n"] == made
    assert 2 == len(list(environments_folder().glob("*.lock")))


def test_two_who_want_the_same_wait_for_each_other(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    is_waiting = threading.Event()
    make = environments._make

    class Telling(Silent):
        def say(self, line: str) -> None:
            is_waiting.set()

    def make_when_the_other_waits(folder: Path, requirements: Requirements, timeout_ns: int) -> None:
        made.append(folder)
        assert is_waiting.wait(60)
        make(folder, requirements, timeout_ns)

    monkeypatch.setattr(environments, "_make", make_when_the_other_waits)
    wanted = Requirements(names=("some-words==2.0",))
    threads = [threading.Thread(target=environment_for, args=(wanted,), kwargs={"progress": Telling()}) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 1 == len(made)
    assert "new" == asked(environment_for(wanted, progress=Silent())).word


def test_what_pip_cannot_find_is_told_in_its_last_lines_and_leaves_no_environment(wheels: Path) -> None:
    for _ in range(2):
        with pytest.raises(ToolError, match="pip install failed") as caught:
            environment_for(Requirements(names=("some-words==3.0",)), progress=Silent())
        assert "No matching distribution found for some-words==3.0" in caught.value.why
        assert "from versions" not in caught.value.why


def test_without_a_network_it_says_how_to_do_without(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ToolError, match="cannot reach the package index") as caught:
        environment_for(Requirements(names=("no-such-package",)), progress=Silent())
    assert "Retrying" not in caught.value.why
    assert "find-links" in caught.value.hint


def test_what_takes_too_long_is_stopped(wheels: Path) -> None:
    with pytest.raises(ToolError, match="took longer than"):
        environment_for(Requirements(names=("some-words==2.0",)), progress=Silent(), timeout_ns=1)


def test_a_cache_that_cannot_be_written_is_an_error_of_its_own(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="environments"):
        environment_for(Requirements(names=("some-words",)), progress=Silent())


def test_without_pip_the_command_that_brings_it_is_named(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeldyno.environments.PathFinder", SimpleNamespace(find_spec=lambda _: None))
    with pytest.raises(UsageError, match="pip is not installed here") as caught:
        environment_for(Requirements(names=("some-words",)), progress=Silent())
    assert "python -m ensurepip" == caught.value.hint


def test_an_extra_is_what_the_package_says_of_it() -> None:
    names = [name.partition(">")[0] for name in of_extra("trees").names]
    assert ["lightgbm", "onnxmltools", "xgboost-cpu"] == names


@pytest.mark.parametrize(("content", "what"), ((None, "cannot read"), ("# nothing\n\n", "names no requirement")))
def test_a_file_that_asks_for_nothing_is_refused(content: str | None, what: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "requirements.txt").write_text(content)
    with pytest.raises(InputError, match=what):
        requirements_in(tmp_path / "requirements.txt")


@pytest.mark.slow
def test_a_conversion_is_done_there_from_the_command_line(wheels: Path, tmp_path: Path) -> None:
    import skops.io
    from sklearn.linear_model import LogisticRegression

    skops.io.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "m.skops")
    (tmp_path / "requirements.txt").write_text("some-words==2.0\n")
    command = ["convert", "m.skops", "--to", "onnx", "--out", "m.onnx", "--budget", "1ms", "--requirements"]
    done = subprocess.run(
        [sys.executable, "-m", "modeldyno", *command, "requirements.txt"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr.partition("Traceback")[1])
    assert "in an environment of its own with requirements.txt" in " ".join(done.stdout.split())
    assert (tmp_path / "m.onnx").is_file()
    (environment,) = environments_folder().glob("*/complete")
    assert list(environment.parent.glob("lib/*/site-packages/some_words.py"))
