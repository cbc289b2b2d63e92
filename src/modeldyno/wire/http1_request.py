"""HTTP/1.1 requests out of a stream of bytes (RFC 9112), within limits."""

import httptools
import msgspec

from modeldyno.records.base import Record
from modeldyno.wire.content_coding import Expander, content_coding
from modeldyno.wire.errors import WireError


class RequestLimits(Record, frozen=True, kw_only=True):
    """What a client may send; beyond it the stream is broken off with the status named."""

    max_body_bytes: int = 64 * 10**6
    """413 beyond it, expanded or not."""
    max_body_parts: int = 65_536
    """Chunks, and pieces as they arrive; 400 beyond it. Each costs time, whatever its size; Triton has this limit."""
    max_head_bytes: int = 32 * 1024
    """431 beyond it."""
    max_headers: int = 100
    """431 beyond it."""
    max_target_bytes: int = 8 * 1024
    """414 beyond it."""


class HttpRequest(msgspec.Struct, frozen=True, gc=False):
    """One whole request."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    """Names in lower case; a header sent twice has its values joined by a comma."""
    body: bytes | bytearray
    keep_alive: bool
    """Whether the client will read a further answer on this connection."""


class RequestReader:
    """A stream of bytes in, whole requests out.

    After `feed`, look at `error`: when it is set the stream cannot be read further, although the requests
    returned before it are sound.
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
        self.error: WireError | None = None
        self.is_reading = False
        """Whether a request has begun and not ended."""
        self.wants_continue = False
        """Whether the client waits for `100 Continue` before it sends the body; whoever sends it resets this."""

    def feed(self, data: bytes) -> list[HttpRequest]:
        """The requests that `data` completed, in order."""
        completed: list[HttpRequest] = []
        self._completed = completed
        self._head_bytes += len(data)
        while data and self.error is None:
            data = self._parse(data)
        if self.is_reading and self._in_head:
            if self._head_bytes > self._limits.max_head_bytes and self.error is None:
                self.error = self._head_too_long()
        else:
            self._head_bytes = 0
        return completed

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
