"""HTTP/1.1 to the server under check, byte by byte: a client library would not send what a rule must send.

Every request goes out on a connection of its own unless a rule is about connections. What a key lets us in with is
sent with each, and is never part of the evidence.
"""

import contextlib
import socket
from collections.abc import Iterator
from typing import NamedTuple

from modeldyno.clock import Clock
from modeldyno.conformance.endings import NoAnswerError
from modeldyno.conformance.trail import Trail, excerpt, short_request
from modeldyno.loadgen.access import Access, tls_context
from modeldyno.loadgen.target import parse_target
from modeldyno.units import format_duration
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError, ResponseReader

_READ_BYTES = 1 << 16
JSON = {"Content-Type": "application/json"}


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    keeps_alive: bool


class Connection:
    """One connection; it reads answers in order.

    Args:
        connected: the socket, which the caller closes.
        clock: for the time limit.
        timeout_ns: for each answer.
    """

    def __init__(self, connected: socket.socket, *, clock: Clock, timeout_ns: int) -> None:
        self._socket = connected
        self._clock = clock
        self._timeout_ns = timeout_ns
        self._reader = ResponseReader()
        self._ready: list[HttpResponse] = []

    def send(self, content: bytes) -> None:
        """Send bytes as they are; a server that has refused already may no longer take them."""
        self._socket.settimeout(self._timeout_ns / 1e9)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(content)

    def read(self) -> Reply:
        """The next answer.

        Raises:
            NoAnswerError: none came whole, or not in time.
        """
        end_ns = self._clock.now_ns() + self._timeout_ns
        while not self._ready:
            data = self._receive(end_ns)
            try:
                if data:
                    self._ready += self._reader.feed(data)
                else:
                    self._ready.append(self._ended())
            except MalformedResponseError as problem:
                raise NoAnswerError(f"the answer is not HTTP/1.1: {problem}") from problem
        return _reply(self._ready.pop(0))

    def _ended(self) -> HttpResponse:
        last = self._reader.end()
        if last is None:
            raise NoAnswerError("the server closed the connection without a whole answer")
        return last

    def read_to_end(self) -> bytes:
        """All bytes until the server closes.

        Raises:
            NoAnswerError: it does not close in time.
        """
        end_ns = self._clock.now_ns() + self._timeout_ns
        parts = []
        while part := self._receive(end_ns):
            parts.append(part)
        return b"".join(parts)

    def read_line(self) -> bytes:
        """The first line of what comes next, and whatever came with it.

        Raises:
            NoAnswerError: nothing came in time.
        """
        end_ns = self._clock.now_ns() + self._timeout_ns
        content = b""
        while b"\r\n" not in content:
            part = self._receive(end_ns)
            if not part:
                raise NoAnswerError("the server closed the connection without an answer")
            content += part
        return content

    def feed(self, content: bytes) -> None:
        """Take bytes that `read_line` gave as the beginning of an answer."""
        self._ready += self._reader.feed(content)

    def _receive(self, end_ns: int) -> bytes:
        left_ns = end_ns - self._clock.now_ns()
        try:
            # A microsecond is as good as none, and 0 would mean that there is no limit.
            self._socket.settimeout(max(left_ns, 1_000) / 1e9)
            return self._socket.recv(_READ_BYTES)
        except TimeoutError:
            raise NoAnswerError(f"no answer within {format_duration(self._timeout_ns)}") from None
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            raise NoAnswerError(f"the connection broke before an answer: {reason}") from problem


def _reply(response: HttpResponse) -> Reply:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers.items()}
    return Reply(response.status, headers, response.body, response.keep_alive)


class HttpWire:
    """Sends requests to one server.

    Args:
        url: `http://` or `https://`.
        access: what lets us in.
        clock: for time limits.
        timeout_ns: for each answer.
        trail: where evidence goes.

    Raises:
        UsageError: not such a URL.
    """

    def __init__(self, url: str, access: Access, *, clock: Clock, timeout_ns: int, trail: Trail) -> None:
        self.url = url
        self.trail = trail
        self.clock = clock
        self.timeout_ns = timeout_ns
        self._target = parse_target(url)
        self._access = access

    def send(self, verb: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        """One request on a connection of its own, with the right `Content-Length` if there is a body.

        Raises:
            NoAnswerError: no whole answer came.
        """
        given = headers or {}
        return self.exchange(short_request(verb, path, given, body), self.pack(verb, path, body, given))

    def exchange(self, shown: str, content: bytes) -> Reply:
        """Bytes on a connection of their own, and the answer to them.

        Args:
            shown: the request, for the evidence.
            content: sent as they are.

        Raises:
            NoAnswerError: no whole answer came.
        """
        with self.talk(shown) as connection:
            connection.send(content)
            return self.note(shown, connection.read())

    def note(self, shown: str, reply: Reply) -> Reply:
        """Keep an answer as evidence."""
        self.trail.add(shown, f"{reply.status} {excerpt(reply.body)}".strip())
        return reply

    def pack(self, verb: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """A request as bytes; a header given as an empty text is left out, also one of ours."""
        sized = {"Content-Length": str(len(body))} if body or verb == "POST" else {}
        return self.pack_head(verb, path, {**sized, **headers}) + body

    def pack_head(self, verb: str, path: str, headers: dict[str, str], version: str = "1.1") -> bytes:
        """The head of a request, with nothing about its body but what `headers` say."""
        named = {"Host": self._target.host_header, "Accept": "*/*", **headers}
        lines = [f"{verb} {self._target.base_path}{path} HTTP/{version}"]
        lines += [f"{name}: {value}" for name, value in named.items() if value]
        lines += [f"{name}: {value}" for name, value in self._access.headers]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")

    @contextlib.contextmanager
    def talk(self, shown: str) -> Iterator[Connection]:
        """A new connection; that no answer comes on it becomes evidence.

        Args:
            shown: what is asked, for the evidence.

        Raises:
            NoAnswerError: there is no connection, or no whole answer came.
        """
        try:
            with self.connect() as connection:
                yield connection
        except NoAnswerError as problem:
            self.trail.add(shown, str(problem))
            raise

    @contextlib.contextmanager
    def connect(self) -> Iterator[Connection]:
        """A new connection.

        Raises:
            NoAnswerError: none can be made.
        """
        target = self._target
        try:
            connected = socket.create_connection((target.host, target.port), self.timeout_ns / 1e9)
        except OSError as problem:
            raise NoAnswerError(f"no connection: {(problem.strerror or str(problem)).lower()}") from problem
        with connected:
            # Small pieces must leave when a rule sends them.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not target.is_encrypted:
                yield Connection(connected, clock=self.clock, timeout_ns=self.timeout_ns)
                return
            try:
                context = tls_context(self._access.encryption(target.host))
                secured = context.wrap_socket(connected, server_hostname=target.host)
            except OSError as problem:
                raise NoAnswerError(f"no encrypted connection: {problem}") from problem
            with secured:
                yield Connection(secured, clock=self.clock, timeout_ns=self.timeout_ns)
