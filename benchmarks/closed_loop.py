"""A closed-loop HTTP client: so many connections, each with one request on its way, for so long.

A closed loop is no way to measure latency; here it only keeps a server busy while its CPU time is counted.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import httptools


class _Connection(asyncio.Protocol):
    def __init__(self, next_request: Callable[[], bytes], deadline_s: float) -> None:
        self._next_request = next_request
        self._deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._body = b""
        self.answers = 0
        self.last_body = b""
        self.done: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._next_request())

    def connection_lost(self, exc: Exception | None) -> None:
        self._parser = None
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self.done.set_exception(RuntimeError(f"status {self._parser.get_status_code()}: {self._body!r}"))
            return
        self.answers += 1
        self.last_body, self._body = self._body, b""
        if self._loop.time() < self._deadline_s:
            cast("asyncio.Transport", self._transport).write(self._next_request())
        else:
            self.done.set_result(None)
            cast("asyncio.Transport", self._transport).close()


async def run_closed_loop(
    port: int, request: bytes | Callable[[], bytes], *, concurrency: int, seconds: float
) -> tuple[int, bytes]:
    """Keep `concurrency` requests on their way for so long: the same again and again, or what is called for each.

    Returns:
        Answers received, and the body of the last.
    """
    loop = asyncio.get_running_loop()
    next_request = request if callable(request) else lambda: request
    deadline_s = loop.time() + seconds
    pairs = [
        await loop.create_connection(lambda: _Connection(next_request, deadline_s), "127.0.0.1", port)
        for _ in range(concurrency)
    ]
    connections = [connection for _, connection in pairs]
    await asyncio.gather(*(connection.done for connection in connections))
    return sum(connection.answers for connection in connections), connections[0].last_body
