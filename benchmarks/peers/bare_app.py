"""What the two libraries and the model cost by themselves: a protocol class that checks nothing and keeps nothing.

No framework, no routes, no names of tensors, no batch, no limits, no deadline, no counts: the body is the row, and the
answer goes out as it was computed. No server of use can be cheaper a request while it computes each row by itself.

It runs in the environment of `fastapi.txt`: `python bare_app.py MODEL PORT`.
"""

import asyncio
import sys
from typing import Any

import httptools
import numpy as np
import uvloop
from one_thread import dtype_of, open_session, row_shape  # type: ignore[import-not-found]


class Bare(asyncio.Protocol):
    """One connection."""

    def __init__(self, session: Any, dtype: type[Any], shape: tuple[int, ...]) -> None:
        self.session, self.dtype, self.shape = session, dtype, shape
        self.parser = httptools.HttpRequestParser(self)
        self.parts: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.Protocol`."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self.parts.append(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        rows = np.frombuffer(b"".join(self.parts), self.dtype)
        self.parts.clear()
        (answer,) = self.session.run(["y"], {"x": rows.reshape(self.shape)}) if rows.size else (rows,)
        body = answer.tobytes()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def serve(model: str, port: int) -> None:
    """Until the process is ended."""
    session = open_session(model)
    dtype, shape = dtype_of(session), row_shape(session)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Bare(session, dtype, shape), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
