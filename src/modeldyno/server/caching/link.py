"""One connection to Redis, on which commands do not wait for each other's answers."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from modeldyno.wire.errors import WireError
from modeldyno.wire.resp import RedisError, Reply, ReplyReader, encode_command

LARGEST_REPLY_BYTES = 64 * 1024 * 1024
_MOST_BUFFERED_BYTES = 16 * 1024 * 1024
_MOST_PENDING = 4096
ENDED = RedisError("ENDED the connection ended")

Hear = Callable[[Reply], object]


class Link(asyncio.Protocol):
    """Sends commands and tells each its answer, in order; where the connection ends first, that is `ENDED`.

    Args:
        lost: told once, why the connection ended.
    """

    def __init__(self, lost: Callable[["Link", str], None]) -> None:
        self._lost = lost
        self._reader = ReplyReader(LARGEST_REPLY_BYTES)
        self._pending: deque[Hear] = deque()
        self._transport: asyncio.Transport | None = None
        self.why = ""
        """It ended, or is about to."""

    @property
    def is_free(self) -> bool:
        """Whether it can take another command: neither too many nor too large ones wait."""
        return (
            self._transport is not None
            and not self.why
            and len(self._pending) < _MOST_PENDING
            and self._transport.get_write_buffer_size() < _MOST_BUFFERED_BYTES
        )

    def send(self, *commands: tuple[Sequence[bytes], Hear]) -> None:
        """Send commands with who hears the answer; only while the link is free."""
        self._pending.extend(hear for _, hear in commands)
        cast("asyncio.Transport", self._transport).write(b"".join([encode_command(*parts) for parts, _ in commands]))

    def end(self, why: str) -> None:
        """End the connection at once."""
        self.why = self.why or why
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        if self.why:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            replies = self._reader.feed(data)
        except WireError as problem:
            self.end(problem.message)
            return
        for reply in replies:
            if not self._pending:
                self.end("Redis answered what it was not asked")
                return
            self._pending.popleft()(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        self.why = self.why or (str(exc) if exc is not None else "the connection ended")
        waiting, self._pending = self._pending, deque()
        for hear in waiting:
            hear(ENDED)
        self._lost(self, self.why)
