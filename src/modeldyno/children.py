"""Work done in a process of its own, with a wall-clock and a memory limit, so that a library's crash is only an error.

A child is a module with `if __name__ == "__main__": answer(function, kind)`. It gets one record as JSON on standard
input and answers with one line of JSON on what was its standard output; whatever libraries print goes to standard
error. Converters and quantisers run this way: they can take minutes, gigabytes, or the whole process down.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from modeldyno.errors import DataError, DynoError, InputError, OutputError, ToolError, TrustError, UsageError
from modeldyno.records.base import Record
from modeldyno.units import format_duration, format_size

R = TypeVar("R")
S = TypeVar("S")

_KINDS: dict[str, type[DynoError]] = {
    kind.__name__: kind for kind in (DataError, InputError, OutputError, ToolError, TrustError, UsageError)
}


class ChildLimits(Record, frozen=True, kw_only=True):
    """What a child may use."""

    timeout_ns: int
    """Wall-clock time, after which it is killed."""
    memory_bytes: int
    """Address space (RLIMIT_AS), which is more than resident memory; the libraries alone take about 400 MB of it."""


class _Failure(Record, frozen=True, kw_only=True):
    kind: str
    what: str
    """Empty when a library failed: only the parent knows the words for what was being done."""
    why: str
    hint: str


class _Reply(Record, frozen=True, kw_only=True):
    state: Literal["done", "failed"]
    result: msgspec.Raw = msgspec.Raw(b"null")
    failure: _Failure | None = None


def run_child(
    module: str, task: object, kind: type[R], *, doing: str, limits: ChildLimits, python: Path | None = None
) -> R:
    """Run `module` as a child on `task` (a record) and return its answer.

    Args:
        module: dotted name; its main part calls `answer`.
        task: the record it gets.
        kind: the type of its answer.
        doing: what it does, for messages: `converting digits.skops to ONNX`.
        limits: time and memory.
        python: another interpreter, which finds our modules by itself; None: this one.

    Raises:
        DynoError: the one that the child met; a ToolError when it died, ran out of time or out of memory.
    """
    request = msgspec.json.encode(task)
    environment = {
        **os.environ,
        # The same modules as here, in the same order; -P below keeps files of the current directory from shadowing.
        # Another interpreter has its own go before them.
        "PYTHONPATH": "" if python else os.pathsep.join(entry for entry in sys.path if entry),
        # Each BLAS thread reserves address space, which the memory limit counts.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MODELDYNO_CHILD_MEMORY_BYTES": str(limits.memory_bytes),
    }
    child = subprocess.Popen(
        [str(python or sys.executable), "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        # A group of its own: Ctrl-C comes to us alone, and its own children die with it.
        start_new_session=True,
    )
    try:
        output, noise = child.communicate(request, timeout=limits.timeout_ns / 1e9)
    except subprocess.TimeoutExpired as problem:
        raise ToolError(
            f"{doing} took longer than {format_duration(limits.timeout_ns)} and was stopped",
            hint="give it more time, or leave this candidate out",
        ) from problem
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    return _read_reply(output, noise, child.returncode, kind, doing, limits)


def _read_reply(output: bytes, noise: bytes, status: int, kind: type[R], doing: str, limits: ChildLimits) -> R:
    try:
        reply = msgspec.json.decode(output, type=_Reply)
    except msgspec.MsgspecError as problem:
        raise ToolError(
            f"{doing} failed: its process {_describe_end(status)}",
            why=_last_line(noise),
            hint=f"the memory limit was {format_size(limits.memory_bytes)}; if the model is large, allow more",
        ) from problem
    if reply.failure is not None:
        failure = reply.failure
        kind_of_error = _KINDS.get(failure.kind, ToolError)
        raise kind_of_error(failure.what or f"{doing} failed", why=failure.why, hint=failure.hint)
    return msgspec.json.decode(reply.result, type=kind)


def _describe_end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status} and no answer"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _last_line(noise: bytes) -> str:
    lines = [line for line in noise.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def answer(function: Callable[[S], R], kind: type[S]) -> None:
    """The main part of a child: read the task, call `function`, write the answer or the error, within the limits.

    Args:
        function: from the task to the answer, both records.
        kind: the type of the task.
    """
    memory_bytes = int(os.environ["MODELDYNO_CHILD_MEMORY_BYTES"])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # Libraries print to standard output when they like; the parent must find nothing there but the answer.
    channel = os.dup(1)
    os.dup2(2, 1)
    reply = _reply_to(function, msgspec.json.decode(sys.stdin.buffer.read(), type=kind))
    with os.fdopen(channel, "wb") as stream:
        stream.write(msgspec.json.encode(reply))


def _reply_to(function: Callable[[S], Any], task: S) -> _Reply:
    try:
        return _Reply(state="done", result=msgspec.Raw(msgspec.json.encode(function(task))))
    except DynoError as problem:
        kind = type(problem).__name__
        failure = _Failure(kind=kind, what=problem.what, why=problem.why, hint=problem.hint)
    except Exception as problem:  # noqa: BLE001 - any library error becomes a message in the parent, not a traceback
        failure = _describe_library_error(problem)
    return _Reply(state="failed", failure=failure)


def _describe_library_error(problem: Exception) -> _Failure:
    text = str(problem).strip()
    last = text.splitlines()[-1].strip() if text else ""
    why = f"{type(problem).__name__}: {last}" if last else type(problem).__name__
    hint = "the model can still be measured and served as it came"
    if isinstance(problem, MemoryError) or "bad_alloc" in text or "Cannot allocate memory" in text:
        hint = "it ran out of its memory limit: allow more, or leave this candidate out"
    return _Failure(kind="ToolError", what="", why=why, hint=hint)
