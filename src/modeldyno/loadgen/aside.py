"""Work that must not hold up the sending: done by threads that step aside when anything else wants the processor.

On a machine with few cores whoever watches a load can delay it. On Linux the standing of a thread is its own
(sched_setscheduler(2), setpriority(2)): one that steps aside is pre-empted at once when a sending process wakes up, and
it need not step back, for it ends with the run.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_NICENESS = 10


def step_aside() -> None:
    """Let the calling thread be pre-empted by all that has an ordinary standing."""
    with contextlib.suppress(OSError):  # it is a courtesy: without it, lateness is measured all the same
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        number = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, number, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, number)))


def run_aside(call: Callable[[], T], *, name: str) -> T:
    """Call on a thread that has stepped aside; an error is raised here.

    An interruption of the wait is raised at once and leaves the thread behind: whoever owns what it uses ends it.
    """
    results: list[T] = []
    problems: list[BaseException] = []

    def work() -> None:
        step_aside()
        try:
            results.append(call())
        except BaseException as problem:  # noqa: BLE001 - raised again by the waiting thread
            problems.append(problem)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
    return results[0]
