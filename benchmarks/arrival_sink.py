"""An independent witness: a server that stamps the arrival of each request and answers it, and does nothing else.

    python benchmarks/arrival_sink.py STAMPS

The first line on stdout is its port. On SIGTERM it writes the stamps, int64 nanoseconds of CLOCK_MONOTONIC, to the
file STAMPS and ends.
"""

import array
import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 40\r\n\r\n" + bytes(40)


class Witness(asyncio.Protocol):
    """Takes every piece of data that comes for one request: they are far smaller than a segment."""

    def __init__(self, stamps: "array.array[int]") -> None:
        self._stamps = stamps

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - only its moment counts
        """See `asyncio.Protocol`."""
        self._stamps.append(time.monotonic_ns())
        self._transport.write(ANSWER)


async def serve() -> bytes:
    """Serve until SIGTERM. Returns the stamps."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    stamps = array.array("q")
    server = await loop.create_server(lambda: Witness(stamps), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    return stamps.tobytes()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(uvloop.run(serve()))
