"""No server at all: every request is answered by the next turn of the event loop.

What a load costs over it is the instrument without any network: pacing, bookkeeping, recording.
"""

import asyncio
from collections.abc import Callable

from modeldyno.loadgen.transports.connection import Answer, Connection, ConnectionOwner
from modeldyno.records.requests import Outcome

_ANSWER = Answer(Outcome.OK)


class NullDialer:
    """Makes connections to nowhere.

    Args:
        now_ns: CLOCK_MONOTONIC.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns

    async def dial(self, owner: ConnectionOwner) -> Connection:
        """See `Dialer`."""
        return NullConnection(owner, self._now_ns)

    def close(self) -> None:
        """See `Dialer`."""


class NullConnection(Connection):
    """Answers everything with nothing."""

    __slots__ = ("_is_open", "_loop")

    def __init__(self, owner: ConnectionOwner, now_ns: Callable[[], int]) -> None:
        super().__init__(owner, now_ns)
        self._loop = asyncio.get_running_loop()
        self._is_open = True

    def send(self, request: int, which: int, content: bytes) -> None:  # noqa: ARG002 - the signature of `Connection`
        """See `Connection`."""
        self.begin(request, content)
        self._loop.call_soon(self._answer)

    def abort(self) -> None:
        """See `Connection`."""
        self._is_open = False
        self._loop.call_soon(self._owner.lost, self)

    def _answer(self) -> None:
        if self._is_open:
            self.first_byte_ns = self.done_ns = self._now_ns()
            self.has_answered = True
            self._owner.answered(self, _ANSWER)
