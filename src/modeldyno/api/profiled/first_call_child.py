"""The child process of `first_call`: open a model, call it once, then some more, and look at the memory in between."""

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from numpy.typing import NDArray

from modeldyno.api.artifacts.choices import runtime_named
from modeldyno.children import answer
from modeldyno.clock import SystemClock
from modeldyno.records.deployment import RuntimeName
from modeldyno.records.first_call import FirstCall, FirstCallTask, PackedArray

_MODULES = {"scikit-learn": "sklearn", "pytorch": "torch"}
"""Runtimes whose library is imported under another name than their own."""
_WARM_CALLS = 20


def look(task: FirstCallTask) -> FirstCall:
    """Open, call and look.

    Raises:
        DynoError: see `Runtime.open` and `Session.run`.
    """
    clock, process = SystemClock(), psutil.Process()
    begun = clock.now_ns()
    _import_library(task.deployment.runtime)
    imported = clock.now_ns()
    runtime_bytes = process.memory_info().rss
    opening = clock.now_ns()
    runtime = runtime_named(task.deployment.runtime, trust=task.trust, entry=task.entry)
    session = runtime.open(Path(task.path), task.signature, task.deployment.session)
    opened = clock.now_ns()
    loaded_bytes = process.memory_info().rss
    batch = {one.name: _unpacked(one) for one in task.batch}
    calling = clock.now_ns()
    session.run(batch)
    called = clock.now_ns()
    called_bytes = process.memory_info().rss
    times = []
    for _ in range(_WARM_CALLS):
        started = clock.now_ns()
        session.run(batch)
        times.append(clock.now_ns() - started)
    if task.repeats > 1:
        session.run({name: np.repeat(array, task.repeats, axis=0) for name, array in batch.items()})
    largest_bytes = process.memory_info().rss
    session.close()
    return FirstCall(
        process_ns=begun - task.started_ns,
        library_ns=imported - begun,
        load_ns=opened - opening,
        first_ns=called - calling,
        warm_ns=round(median(times)),
        runtime_bytes=runtime_bytes,
        loaded_bytes=loaded_bytes,
        called_bytes=called_bytes,
        largest_bytes=largest_bytes,
        peak_bytes=_peak_bytes(),
    )


def _unpacked(one: PackedArray) -> NDArray[np.generic]:
    if one.dtype == "object":
        texts = np.empty(len(one.texts), object)
        texts[:] = one.texts
        return texts.reshape(one.shape)
    return np.frombuffer(one.raw, one.dtype).reshape(one.shape)


def _peak_bytes() -> int:
    """The most that was resident. Not `ru_maxrss`, which keeps what the parent held when this process was started."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _import_library(runtime: RuntimeName) -> None:
    """What is not to be imported by that name is imported when the session is opened, and counted as loading."""
    with suppress(ImportError):
        import_module(_MODULES.get(runtime, runtime))


if __name__ == "__main__":
    answer(look, FirstCallTask)
