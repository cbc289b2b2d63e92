"""HTTP servers that do one known thing, in a process of their own: `python -m modeldyno.testing.known_servers JSON`.

They are what a load generator is tested against: what they did is known, so what is reported can be checked. Every
POST is counted when its last byte is there; `GET /count` gives the count, `GET /v2/models/NAME` the metadata of a model
with four numbers in and one out.
"""

import asyncio
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop

from modeldyno.clock import SystemClock

_METADATA = b"""{"name": "known", "versions": ["1"], "platform": "known",
 "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
 "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 1]}]}"""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server does. `..._every` counts POSTs from 1; 0 is never."""

    host: str = "127.0.0.1"
    delay_ns: int = 0
    """From the whole request to its answer, independent of other requests."""
    service_ns: int = 0
    """Of one request in a single lane: requests are served one after the other, in order, each for so long."""
    stall_at: int = 0
    """At this POST the whole process does nothing for `stall_ns`; what arrives meanwhile waits."""
    stall_ns: int = 0
    status_every: int = 0
    """Answer 503 with `Retry-After: 1`."""
    reset_every: int = 0
    """Reset the connection instead of answering."""
    truncate_every: int = 0
    """Announce a body, send half of it and close."""
    garbage_every: int = 0
    """Answer with something that is not HTTP."""
    silent_every: int = 0
    """Never answer."""
    close_every: int = 0
    """Answer with `Connection: close`, and close."""
    until_close_every: int = 0
    """A body without a length, ended by closing."""
    chunked_every: int = 0
    die_after: int = 0
    """Exit at this POST, unanswered."""
    close_idle_after_ns: int = 0
    """Close a connection that was idle for so long after an answer."""
    reset_after_idle_ns: int = 0
    """Reset, uncounted, at a request on a connection that was idle for so long: closed before the client saw it."""
    server_timing: str = ""
    """Value of the `Server-Timing` header; empty for none."""


class _Counters:
    def __init__(self) -> None:
        self.posts = 0
        self.lane_free_s = 0.0
        """When the single lane has served all that came so far, on the loop's clock."""


class _Exchange(asyncio.Protocol):
    """One connection."""

    def __init__(self, behaviour: Behaviour, counters: _Counters) -> None:
        self._behaviour = behaviour
        self._counters = counters
        self._parser = httptools.HttpRequestParser(self)
        self._clock = SystemClock()
        self._idle: asyncio.TimerHandle | None = None
        self._idle_since_ns = self._clock.now_ns()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._idle is not None:
            self._idle.cancel()

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            self._write_body(_METADATA if b"/v2/models/" in self._path else str(self._counters.posts).encode())
            return
        if self._is_stale():
            self._transport.abort()
            return
        self._counters.posts += 1
        number = self._counters.posts
        behaviour = self._behaviour
        if number == behaviour.die_after:
            os._exit(0)  # an exception would only end this connection
        if number == behaviour.stall_at:
            self._clock.sleep_until_ns(self._clock.now_ns() + behaviour.stall_ns)
        if behaviour.service_ns:
            loop = asyncio.get_running_loop()
            self._counters.lane_free_s = max(loop.time(), self._counters.lane_free_s) + behaviour.service_ns / 1e9
            loop.call_at(self._counters.lane_free_s, self._answer, number)
        elif behaviour.delay_ns:
            asyncio.get_running_loop().call_later(behaviour.delay_ns / 1e9, self._answer, number)
        else:
            self._answer(number)

    def _answer(self, number: int) -> None:
        if self._transport.is_closing():
            return
        behaviour = self._behaviour
        chosen = [
            answer
            for every, answer in (
                (behaviour.status_every, self._refuse),
                (behaviour.reset_every, self._transport.abort),
                (behaviour.truncate_every, self._truncate),
                (behaviour.garbage_every, self._talk_nonsense),
                (behaviour.silent_every, self._stay_silent),
                (behaviour.close_every, self._answer_and_close),
                (behaviour.until_close_every, self._answer_until_close),
                (behaviour.chunked_every, self._answer_in_chunks),
            )
            if every and number % every == 0
        ]
        (chosen or [self._answer_plainly])[0]()
        self._watch_idle()

    def _is_stale(self) -> bool:
        limit_ns = self._behaviour.reset_after_idle_ns
        return limit_ns > 0 and self._clock.now_ns() - self._idle_since_ns >= limit_ns

    def _watch_idle(self) -> None:
        self._idle_since_ns = self._clock.now_ns()
        if self._behaviour.close_idle_after_ns:
            delay_s = self._behaviour.close_idle_after_ns / 1e9
            self._idle = asyncio.get_running_loop().call_later(delay_s, self._transport.close)

    def _write_body(self, body: bytes, *, status: str = "200 OK", header: str = "") -> None:
        timing = f"Server-Timing: {self._behaviour.server_timing}\r\n" if self._behaviour.server_timing else ""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{timing}{header}\r\n"
        self._transport.write(head.encode() + body)

    def _answer_plainly(self) -> None:
        self._write_body(b'{"outputs": []}')

    def _refuse(self) -> None:
        self._write_body(b'{"error": "full"}', status="503 Service Unavailable", header="Retry-After: 1\r\n")

    def _truncate(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
        self._transport.close()

    def _talk_nonsense(self) -> None:
        self._transport.write(b"PONG\r\n\r\n")

    def _stay_silent(self) -> None:
        return

    def _answer_and_close(self) -> None:
        self._write_body(b"{}", header="Connection: close\r\n")
        self._transport.close()

    def _answer_until_close(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\n\r\n{}")
        self._transport.close()

    def _answer_in_chunks(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")


@dataclass(frozen=True)
class KnownServer:
    """A server that runs."""

    url: str
    pid: int

    def count_posts(self) -> int:
        """POSTs it has read in full."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request("GET", "/count")
            return int(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def known_server(behaviour: Behaviour | None = None) -> Iterator[KnownServer]:
    """A server in a process of its own, on a free port, ended with the context."""
    text = msgspec.json.encode(behaviour or Behaviour()).decode()
    process = subprocess.Popen([sys.executable, "-P", "-m", __name__, text], stdout=subprocess.PIPE)
    try:
        if process.stdout is None:
            raise AssertionError("stdout was asked for")
        yield KnownServer(process.stdout.readline().decode().strip(), process.pid)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def _serve(behaviour: Behaviour) -> None:
    counters = _Counters()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Exchange(behaviour, counters), behaviour.host, 0, backlog=1024
    )
    host, port = server.sockets[0].getsockname()[:2]
    sys.stdout.write(f"http://{f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(msgspec.json.decode(sys.argv[1], type=Behaviour)))
