"""No network: the sessions of a model in the sending process, each with a thread of its own."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from modeldyno.loadgen.server_timing import ServerTimes
from modeldyno.loadgen.transports.connection import NO_REQUEST, Answer, Connection, ConnectionOwner
from modeldyno.protocols import Session, Tensors
from modeldyno.records.requests import Outcome

_FAILED = Answer(Outcome.MALFORMED)


class InProcessDialer:
    """Makes connections to sessions; a request takes the first that is free, in the order in which they were sent.

    Args:
        sessions: of one model; they are closed with the dialer.
        inputs: of each prepared request.
        now_ns: CLOCK_MONOTONIC.
    """

    def __init__(self, sessions: Sequence[Session], inputs: Sequence[Tensors], now_ns: Callable[[], int]) -> None:
        self._sessions = sessions
        self._free: SimpleQueue[Session] = SimpleQueue()
        for session in sessions:
            self._free.put(session)
        self._inputs = inputs
        self._now_ns = now_ns
        self._threads = ThreadPoolExecutor(max_workers=len(sessions), thread_name_prefix="session")

    async def dial(self, owner: ConnectionOwner) -> Connection:
        """See `Dialer`."""
        return InProcessConnection(owner, self._now_ns, self)

    def submit(self, which: int, done: Callable[[Answer, int], None]) -> None:
        """Compute request `which` on a thread; `done` is called on it with the answer and the moment."""
        self._threads.submit(self._compute, which, self._now_ns(), done)

    def close(self) -> None:
        """See `Dialer`."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for session in self._sessions:
            session.close()

    def _compute(self, which: int, submitted_ns: int, done: Callable[[Answer, int], None]) -> None:
        session = self._free.get()
        began_ns = self._now_ns()
        try:
            session.run(self._inputs[which])
        except Exception:  # noqa: BLE001 - a model may raise anything; it is one failed request
            answer, ended_ns = _FAILED, self._now_ns()
        else:
            ended_ns = self._now_ns()
            queue_ns, inference_ns = began_ns - submitted_ns, ended_ns - began_ns
            times = ServerTimes(0, queue_ns, inference_ns, 0, queue_ns + inference_ns)
            answer = Answer(Outcome.OK, server_times=times)
        finally:
            self._free.put(session)
        done(answer, ended_ns)


class InProcessConnection(Connection):
    """A request on its way through a thread."""

    __slots__ = ("_dialer", "_is_open", "_loop")

    def __init__(self, owner: ConnectionOwner, now_ns: Callable[[], int], dialer: InProcessDialer) -> None:
        super().__init__(owner, now_ns)
        self._dialer = dialer
        self._loop = asyncio.get_running_loop()
        self._is_open = True

    def send(self, request: int, which: int, content: bytes) -> None:
        """See `Connection`."""
        self.begin(request, content)
        self._dialer.submit(which, self._done)

    def abort(self) -> None:
        """See `Connection`; a computation that has begun goes on, and nobody hears of it."""
        self._is_open = False
        self._loop.call_soon(self._owner.lost, self)

    def _done(self, answer: Answer, ended_ns: int) -> None:
        try:
            self._loop.call_soon_threadsafe(self._tell, answer, ended_ns)
        except RuntimeError:
            return  # the loop is closed: the run is over

    def _tell(self, answer: Answer, ended_ns: int) -> None:
        if self._is_open and self.request != NO_REQUEST:
            self.first_byte_ns = self.done_ns = ended_ns
            self.has_answered = True
            self._owner.answered(self, answer)
