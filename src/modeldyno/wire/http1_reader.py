"""HTTP/1.1 requests out of a stream of bytes (RFC 9112), within limits."""

from typing import NamedTuple

import httptools

from modeldyno.wire.content_coding import Expander, content_coding
from modeldyno.wire.errors import WireError
from modeldyno.wire.http1_request import HttpRequest, RequestLimits


class _KnownHead(NamedTuple):
    """A head that was parsed, and what it says."""

    head: bytes
    size: int
    """Of the whole request."""
    method: bytes
    target: bytes
    headers: dict[bytes, bytes]


_LONGEST_KNOWN_HEAD = 4096
_MOST_KNOWN_HEADS = 16
"""Learned in the life of a connection, one after the other, so that a client that never repeats itself costs little."""
_TELLS_MORE = (b"content-encoding", b"expect", b"transfer-encoding", b"upgrade")
"""Headers with which the body is not simply what follows the head, even where it is as long."""


class RequestReader:
    """A stream of bytes in, whole requests out.

    After `feed`, look at `error`: when it is set the stream cannot be read further, although the requests
    returned before it are sound.

    A client repeats the head of its requests to the byte. So the last head is remembered, and a piece of data that is
    the same head with as much behind it is a request without being parsed again: it would be parsed to the same.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._completed: list[HttpRequest] = []
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._parts = 0
        self._expander: Expander | None = None
        self._in_head = False
        self._head_bytes = 0
        """Since the head began, or since the piece did in which it began."""
        self._others_bytes = 0
        """Of `_head_bytes`: how many at most belong to requests before."""
        self._known: _KnownHead | None = None
        self._learned = 0
        self.error: WireError | None = None
        self.is_reading = False
        """Whether a request has begun and not ended."""
        self.wants_continue = False
        """Whether the client waits for `100 Continue` before it sends the body; whoever sends it resets this."""

    def feed(self, data: bytes) -> list[HttpRequest]:
        """The requests that `data` completed, in order; their headers may be an earlier one's, and are to be read."""
        known, begins_here = self._known, not self.is_reading and self.error is None
        if known is not None and begins_here and len(data) == known.size and data.startswith(known.head):
            body = data[len(known.head) :]
            return [HttpRequest(known.method, known.target, known.headers, body, keep_alive=True)]
        completed: list[HttpRequest] = []
        self._completed = completed
        whole, size = data, len(data)
        self._head_bytes += size
        while data and self.error is None:
            data = self._parse(data)
        if self.error is not None:
            self._forget(self.error)
        elif self.is_reading and self._in_head:
            if completed:
                self._head_bytes = self._others_bytes = size
            elif self._head_bytes == size:
                self._others_bytes = 0
            if self._head_bytes - self._others_bytes > self._limits.max_head_bytes:
                self.error = self._head_too_long()
        else:
            self._head_bytes = 0
            if completed and not completed[-1].keep_alive:
                self._known = None  # nothing is read behind a last request
            elif begins_here and len(completed) == 1 and self._learned < _MOST_KNOWN_HEADS:
                self._learn(whole, completed[0])
        return completed

    def _learn(self, data: bytes, request: HttpRequest) -> None:
        """Remember the head of `data` if `data` is just this request, and its head alone says so."""
        headers, body = request.headers, request.body
        length = data.find(b"\r\n\r\n") + 4
        if (
            length + len(body) == len(data)
            and length <= _LONGEST_KNOWN_HEAD
            and not self.is_reading
            and headers.get(b"content-length") == b"%d" % len(body)
            and not any(name in headers for name in _TELLS_MORE)
        ):
            self._learned += 1
            self._known = _KnownHead(data[:length], len(data), request.method, request.target, headers)

    def _forget(self, problem: WireError) -> None:
        """Let go of the request that cannot be read on; the connection may stay for a while."""
        self._body = b""
        self._headers = {}
        self._expander = None
        # Its frames hold this reader, whose error it is: a circle that the garbage collector may find late.
        problem.__traceback__ = None

    def close(self) -> None:
        """Break the reference cycle with the parser, so that the memory is free at once."""
        self._parser = None

    def _parse(self, data: bytes) -> bytes:
        """Parse `data`; what is left of it when the parser stopped at an offered protocol upgrade."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # RFC 9110, 7.8: a server may ignore an Upgrade; the parser stops there, so a fresh one reads on.
            self._parser = httptools.HttpRequestParser(self)
            return data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as problem:
            if not isinstance(problem.__context__, WireError):
                raise
            self.error = problem.__context__
        except httptools.HttpParserError as problem:
            self.error = WireError(f"not a valid HTTP/1.1 request: {problem}")
        return b""

    def _head_too_long(self) -> WireError:
        limits = self._limits
        return WireError(
            f"the request's head is larger than {limits.max_head_bytes} bytes or {limits.max_headers} headers",
            status=431,
        )

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self.is_reading = True
        self._in_head = True
        self._target = b""
        self._headers = {}
        self._body = b""

    def on_url(self, part: bytes) -> None:
        """Called by the parser, perhaps with parts."""
        self._target += part
        if len(self._target) > self._limits.max_target_bytes:
            raise WireError(f"the URL is longer than {self._limits.max_target_bytes} bytes", status=414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for trailers too."""
        if not self._in_head:
            return
        name = name.lower()
        if name in self._headers:
            if name == b"host":
                raise WireError("a request has one Host header")  # RFC 9112, 3.2
            value = self._headers[name] + b", " + value
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._in_head = False
        headers = self._headers
        if len(headers) > self._limits.max_headers:
            raise self._head_too_long()
        # Counting the bytes of every head would cost as much as parsing it; only one that came in a large
        # piece, or in many, can be too long.
        if self._head_bytes > self._limits.max_head_bytes:
            size = sum(len(name) + len(value) + 4 for name, value in headers.items())
            if size > self._limits.max_head_bytes:
                raise self._head_too_long()
        if b"host" not in headers and self._parser.get_http_version() == "1.1":
            raise WireError("an HTTP/1.1 request needs a Host header")
        if b"expect" in headers:
            self._check_expectation(headers[b"expect"])
        if b"transfer-encoding" in headers:
            self._check_transfer(headers[b"transfer-encoding"])
        if b"content-encoding" in headers:
            coding = content_coding(headers[b"content-encoding"])
            if coding is not None:
                self._expander = Expander(coding, self._limits.max_body_bytes)
        if b"content-length" in headers and int(headers[b"content-length"]) > self._limits.max_body_bytes:
            raise self._body_too_long()

    def _check_transfer(self, value: bytes) -> None:
        if value.strip().lower() != b"chunked":
            raise WireError("the only transfer encoding understood is chunked", status=501)
        if self._parser.get_http_version() != "1.1":
            # RFC 9112, 6.1: whoever passed it on may not have seen the chunks, and end the request elsewhere.
            raise WireError("only HTTP/1.1 has transfer encodings")

    def _check_expectation(self, value: bytes) -> None:
        if value.strip().lower() != b"100-continue":
            raise WireError("the only expectation understood is 100-continue", status=417)
        self.wants_continue = self._parser.get_http_version() == "1.1"

    def _body_too_long(self) -> WireError:
        return WireError(f"the body is larger than {self._limits.max_body_bytes} bytes", status=413)

    def on_body(self, part: bytes) -> None:
        """Called by the parser, perhaps with parts."""
        if self._expander is not None:
            part = self._expander.feed(part)
        if not self._body:
            self._body = part
        elif isinstance(self._body, bytearray):
            self._body += part
            self._parts += 1
            if self._parts > self._limits.max_body_parts:
                raise WireError(f"the body comes in more than {self._limits.max_body_parts} parts")
        else:
            # A bytearray and not a list of parts: a body of one-byte chunks must not cost an object a byte.
            self._body = bytearray(self._body)
            self._body += part
            self._parts = 2
        if len(self._body) > self._limits.max_body_bytes:
            raise self._body_too_long()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._expander is not None:
            self._expander.finish()
            self._expander = None
        self.is_reading = False
        self.wants_continue = False
        parser = self._parser
        self._completed.append(
            HttpRequest(parser.get_method(), self._target, self._headers, self._body, parser.should_keep_alive())
        )
        self._body = b""
