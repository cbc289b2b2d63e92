"""Bytes of a server to HTTP/1.1 responses (RFC 9112), without a socket."""

from collections.abc import Callable
from typing import NamedTuple

import httptools


class MalformedResponseError(Exception):
    """The bytes are not an HTTP/1.1 response; the connection cannot be used any further."""


class HttpResponse(NamedTuple):
    """One whole response."""

    status: int
    headers: dict[bytes, bytes]
    """Names in lower case; a repeated header's values are joined by `, ` (RFC 9110, section 5.2). Responses with the
    same head share them: not to be changed."""
    body: bytes
    keep_alive: bool
    """Whether the server lets the connection be used again."""


class ResponseReader:
    """Collects what arrives on one connection into responses.

    Chunked bodies, bodies with a length and answers without a body end by themselves; a body that only the end of
    the connection delimits is completed by `end`. Interim answers (1xx) are skipped: a final one follows.

    Servers under load answer with the same head again and again. Bytes that begin with that of an answer before and
    are as long as it are known to parse like it, whatever the body: comparing them takes 0.1 µs, parsing them 2.

    Args:
        on_piece: given the pieces of bodies as they come, which are then not kept.
    """

    __slots__ = (
        "_body", "_complete", "_headers", "_in_body", "_in_message", "_keeps_bodies", "_known", "_known_head",
        "_known_size", "_parser", "on_body",
    )  # fmt: skip

    def __init__(self, on_piece: Callable[[bytes], None] | None = None) -> None:
        self.on_body: Callable[[bytes], None] = on_piece or self._keep_piece
        """Parser callback: a piece of the body."""
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._complete: list[HttpResponse] = []
        self._in_body = False
        self._in_message = False
        self._keeps_bodies = on_piece is None
        self._known: HttpResponse | None = None
        self._known_head = b""
        self._known_size = -1

    def feed(self, data: bytes) -> list[HttpResponse]:
        """The responses that `data` completes, in order; usually none or one.

        Raises:
            MalformedResponseError: the bytes break the protocol.
        """
        known = self._known
        if known is not None and len(data) == self._known_size and not self._in_message:
            head = self._known_head
            if data.startswith(head):
                return [HttpResponse(known.status, known.headers, data[len(head) :], keep_alive=True)]
        begins_here = not self._in_message
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as problem:
            raise MalformedResponseError("the server switched to another protocol") from problem
        except httptools.HttpParserError as problem:
            raise MalformedResponseError(str(problem)) from problem
        if not self._complete:
            return []
        complete, self._complete = self._complete, []
        if begins_here and self._keeps_bodies and len(complete) == 1:
            self._learn(data, complete[0])
        return complete

    def _learn(self, data: bytes, response: HttpResponse) -> None:
        """Remember `data`, which is just this response, if its head alone says where it ends."""
        headers, body = response.headers, response.body
        if (
            response.keep_alive
            and not self._in_message
            and headers.get(b"content-length") == b"%d" % len(body)
            and data.endswith(body)
            and b"server-timing" not in headers  # another in every answer
        ):
            self._known, self._known_head, self._known_size = response, data[: len(data) - len(body)], len(data)

    def end(self) -> HttpResponse | None:
        """The connection ended: the response that this completes (RFC 9112, section 6.3, rule 8), if any.

        None means that nothing was under way, or that it was cut off.
        """
        if not self._in_body or b"content-length" in self._headers or b"transfer-encoding" in self._headers:
            return None
        self._in_body = False
        return HttpResponse(self._parser.get_status_code(), self._headers, b"".join(self._body), keep_alive=False)

    def on_message_begin(self) -> None:
        """Parser callback: a response starts."""
        self._in_message = True
        self._headers = {}
        self._body = []

    def on_headers_complete(self) -> None:
        """Parser callback: what follows is the body."""
        self._in_body = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback: one header."""
        key = name.lower()
        known = self._headers.get(key)
        self._headers[key] = value if known is None else known + b", " + value

    def _keep_piece(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Parser callback: the response is whole."""
        status = self._parser.get_status_code()
        self._in_body = self._in_message = False
        if status < 200:
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._complete.append(HttpResponse(status, self._headers, body, self._parser.should_keep_alive()))
