import sys
from pathlib import Path

import pytest

from modeldyno.children import ChildLimits, run_child
from modeldyno.errors import InputError, ToolError
from modeldyno.records.base import Record

CHILD = """
import os, signal, subprocess, sys, time
from modeldyno.children import answer
from modeldyno.errors import InputError
from modeldyno.records.base import Record

class Task(Record, frozen=True, kw_only=True):
    what: str

class Result(Record, frozen=True, kw_only=True):
    text: str

def work(task):
    print("a library talks on standard output")
    match task.what:
        case "answer": return Result(text="done")
        case "refuse": raise InputError("no", why="because", hint="do")
        case "raise": raise RuntimeError("first line\\nlast line")
        case "allocate": return Result(text=str(len(bytearray(8 * 10**9))))
        case "crash": os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            print("a last word", file=sys.stderr)
            os._exit(3)
        case "hang":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            time.sleep(600)

if __name__ == "__main__":
    answer(work, Task)
"""


class Task(Record, frozen=True, kw_only=True):
    what: str


class Result(Record, frozen=True, kw_only=True):
    text: str


@pytest.fixture(autouse=True)
def child_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_child.py").write_text(CHILD)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


def ask(what: str, timeout_ns: int = 60 * 10**9) -> Result:
    limits = ChildLimits(timeout_ns=timeout_ns, memory_bytes=4 * 10**9)
    return run_child("some_child", Task(what=what), Result, doing="working", limits=limits)


def test_the_answer_of_a_child_comes_back_though_a_library_prints() -> None:
    assert Result(text="done") == ask("answer")


def test_an_error_of_ours_comes_back_with_its_three_parts() -> None:
    with pytest.raises(InputError) as caught:
        ask("refuse")
    assert ("no", "because", "do") == (caught.value.what, caught.value.why, caught.value.hint)


def test_an_error_of_a_library_becomes_its_last_line() -> None:
    with pytest.raises(ToolError) as caught:
        ask("raise")
    assert ("working failed", "RuntimeError: last line") == (caught.value.what, caught.value.why)


def test_memory_beyond_the_limit_is_an_error_that_says_so() -> None:
    with pytest.raises(ToolError) as caught:
        ask("allocate")
    assert "memory limit" in caught.value.hint


def test_a_crash_is_an_error_that_names_the_signal() -> None:
    with pytest.raises(ToolError, match="killed by SIGSEGV"):
        ask("crash")


def test_a_child_that_ends_without_an_answer_leaves_its_last_word() -> None:
    with pytest.raises(ToolError, match="ended with status 3") as caught:
        ask("exit")
    assert "a last word" == caught.value.why


def test_a_child_that_hangs_is_killed_with_its_own_children() -> None:
    # `communicate` inside returns only when the grandchild, which holds the pipes too, is gone.
    with pytest.raises(ToolError, match=r"took longer than 1\.00 s"):
        ask("hang", timeout_ns=10**9)
