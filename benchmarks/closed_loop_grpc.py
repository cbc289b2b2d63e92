"""A closed-loop gRPC client: so many connections, each with one call on its way, for so long; see `closed_loop`."""

import asyncio
from typing import cast

from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.wire.grpc_call import pack_call, read_call
from modeldyno.wire.http2_client import Http2Client
from modeldyno.wire.v2_messages import method_path


class _Connection(asyncio.Protocol):
    def __init__(self, content: bytes, deadline_s: float) -> None:
        self._content = content
        self._deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._client = Http2Client()
        self._has_begun = False
        self.answers = 0
        self.last_message = b""
        self.done: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._client.start())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        answer = self._client.feed(data)
        self._transport.write(self._client.take_outgoing())
        if not self._has_begun:
            self._has_begun = self._client.is_ready
        elif answer is None:
            return
        else:
            status, self.last_message = read_call(answer)
            if status.code != GrpcStatus.OK:
                self.done.set_exception(RuntimeError(str(status)))
                return
            self.answers += 1
        if self._loop.time() >= self._deadline_s:
            self.done.set_result(None)
            self._transport.close()
        elif self._has_begun:
            self._transport.write(self._client.request(self._content))


async def run_closed_loop(address: str, message: bytes, *, concurrency: int, seconds: float) -> tuple[int, bytes]:
    """Keep `concurrency` `ModelInfer`s on their way for so long.

    Returns:
        Answers received, and the last message.
    """
    loop = asyncio.get_running_loop()
    content = pack_call(method_path("ModelInfer"), address, message)
    host, _, port = address.rpartition(":")
    deadline_s = loop.time() + seconds
    pairs = [
        await loop.create_connection(lambda: _Connection(content, deadline_s), host, int(port))
        for _ in range(concurrency)
    ]
    connections = [connection for _, connection in pairs]
    await asyncio.gather(*(connection.done for connection in connections))
    return sum(connection.answers for connection in connections), connections[0].last_message
