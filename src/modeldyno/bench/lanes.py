"""Sessions driven side by side: one lane an instance, each in a thread of its own."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from modeldyno.clock import Clock
from modeldyno.protocols import Session, Tensors


class Lanes:
    """The instances of a deployment, run at the same time on the same batch.

    A single instance runs in the calling thread: a hand-over would cost more than a small model does.
    """

    def __init__(self, sessions: Sequence[Session], clock: Clock) -> None:
        self._sessions = tuple(sessions)
        self._clock = clock
        self._threads = ThreadPoolExecutor(len(sessions), "lane") if len(sessions) > 1 else None

    @property
    def width(self) -> int:
        """How many instances run at once."""
        return len(self._sessions)

    def run(self, batch: Tensors, *, calls: int) -> int:
        """Make `calls` calls in every lane and return when all are done.

        Returns:
            Mean time of one call in ns, averaged over the lanes.
        """
        if self._threads is None:
            return self._run_lane(self._sessions[0], batch, calls)
        jobs = [self._threads.submit(self._run_lane, session, batch, calls) for session in self._sessions]
        wait(jobs)
        return sum(job.result() for job in jobs) // len(jobs)

    def _run_lane(self, session: Session, batch: Tensors, calls: int) -> int:
        run = session.run
        started = self._clock.now_ns()
        for _ in range(calls):
            run(batch)
        return (self._clock.now_ns() - started) // calls

    def close(self) -> None:
        """End the threads and close the sessions."""
        if self._threads is not None:
            self._threads.shutdown()
        for session in self._sessions:
            session.close()
