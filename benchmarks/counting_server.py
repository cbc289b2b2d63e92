"""A server that answers as `triton_answers` says and counts, so that no client is taken at its own word.

    python benchmarks/counting_server.py

The first line on stdout is its port. `GET /count` tells how many inferences it has answered. It ends on SIGTERM.
"""

import asyncio
import signal
from typing import Any, cast

import httptools
import uvloop
from triton_answers import document, infer_answer


class Count:
    """Inferences answered so far, on all connections."""

    def __init__(self) -> None:
        self.requests = 0


class Connection(asyncio.Protocol):
    """Answers each request when the whole of it is there."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._parser: Any = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """See `asyncio.Protocol`."""
        self._parser = None

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._path = url

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser: curl waits for leave to send a body of some size."""
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self._body += part

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._path.endswith(b"/infer"):
            self._count.requests += 1
            self._transport.write(infer_answer(self._body))
        else:
            self._transport.write(document(self._path, self._count.requests))


async def serve() -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    count = Count()
    server = await loop.create_server(lambda: Connection(count), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()


if __name__ == "__main__":
    uvloop.run(serve())
