"""The processing of pipelines: on the event loop where it is known to be short, else on a thread."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

from modeldyno.clock import Clock
from modeldyno.policies.placement import ComputeTime, is_inline
from modeldyno.processing.flow import Compute
from modeldyno.processing.steps import Apply, Array
from modeldyno.server.loop import Loop

Outputs = dict[str, Array]
Done = Callable[[Outputs | Exception], None]


class _Job(NamedTuple):
    need: Compute
    elements: int
    done: Done


class Processor:
    """Computes for all requests of one pipeline; its thread begins when something is first left to it.

    Args:
        loop: where `done` is called.
        clock: measures what processing takes.
    """

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._times: dict[Apply, ComputeTime] = {}
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def compute(self, need: Compute, done: Done) -> Outputs | None:
        """The result, if it is computed at once; None: `done` is called with it, or with the error, later.

        Raises:
            DataError: an operation refuses a value.
        """
        elements = sum(array.size for array in need.tensors.values())
        times = self._times.setdefault(need.apply, ComputeTime())
        if is_inline(times.expected_ns(elements), instances=1):
            began_ns = self._clock.now_ns()
            outputs = need.apply(need.tensors)
            times.observe(elements, self._clock.now_ns() - began_ns)
            return outputs
        if self._thread is None:
            # A daemon, as the threads of the instances: what never returns must not keep a drained server from ending.
            self._thread = threading.Thread(target=self._work, name="processing", daemon=True)
            self._thread.start()
        self._jobs.put(_Job(need, elements, done))
        return None

    def close(self, until_ns: int) -> None:
        """End the thread after what it computes; wait for it until then."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(max(0, until_ns - self._clock.now_ns()) / 1e9)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            began_ns = self._clock.now_ns()
            result: Outputs | Exception
            try:
                result = job.need.apply(job.need.tensors)
            except Exception as problem:  # noqa: BLE001 - the request that it belongs to is told
                result = problem
            try:
                self._loop.call_soon_threadsafe(self._finish, job, result, self._clock.now_ns() - began_ns)
            except RuntimeError:
                return  # the loop is closed: the server stopped waiting, and has counted the request as lost
            del job, result  # or their tensors would be held until the next

    def _finish(self, job: _Job, result: Outputs | Exception, duration_ns: int) -> None:
        if not isinstance(result, Exception):
            self._times[job.need.apply].observe(job.elements, duration_ns)
        job.done(result)
