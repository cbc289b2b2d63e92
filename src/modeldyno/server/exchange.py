"""One HTTP request and the answer it gets."""

from collections.abc import Callable
from typing import Protocol, cast

from msgspec.structs import astuple

from modeldyno.server.call import Answer, Refusal
from modeldyno.server.protection.audit import CANCELLED
from modeldyno.server.visit import Visit
from modeldyno.wire.content_coding import choose_coding, compress
from modeldyno.wire.http1_head import Times, format_response, format_server_timing, format_tensors
from modeldyno.wire.http1_request import HttpRequest
from modeldyno.wire.v2_documents import encode_error

_WORTH_COMPRESSING_BYTES = 1024
"""A smaller answer fits into one packet anyway."""


class Outlet(Protocol):
    """Where an exchange's message goes: the connection it came from."""

    def must_close(self) -> bool:
        """Whether the answer being written is the connection's last."""
        ...

    def flush(self) -> None:
        """Write the messages that are there, in the order of their requests."""
        ...


class Exchange:
    """Takes one answer, makes it HTTP, and hands it to the connection, which keeps the order.

    Args:
        outlet: told when there is an answer.
        started_ns: when the request's first byte came.
        closes: whether the connection ends after this answer.
        keep_alive_line: a header line for clients that must be told that the connection stays.
        without_body: whether only the head of the answer is asked for.
        with_timing: whether an inference is answered with its times.
        accepted: the codings that the client understands, in its words.
    """

    def __init__(
        self,
        outlet: Outlet,
        *,
        started_ns: int,
        closes: bool = False,
        keep_alive_line: bytes = b"",
        without_body: bool = False,
        with_timing: bool = False,
        accepted: bytes | None = None,
    ) -> None:
        self.outlet = outlet
        self.started_ns = started_ns
        self.closes = closes
        self.keep_alive_line = keep_alive_line
        self.without_body = without_body
        self.with_timing = with_timing
        self.accepted = accepted
        self.deadline_ns: int | None = None
        """When the client gives up, where it says so."""
        self.message: bytes | None = None
        """The whole answer, once it is there."""
        self.abandoned: Callable[[], None] | None = None
        """Called when the client is gone before the answer."""
        self.visit: Visit | None = None
        """Who asked, where that matters."""

    def respond(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """Answer with a JSON document."""
        if self.visit is not None:
            self.visit.end(status)
        self._send(
            format_response(status, body, headers=headers + self._connection_line(), without_body=self.without_body)
        )

    def show(self, page: bytes, content_type: bytes) -> None:
        """Answer with what is no JSON."""
        if self.visit is not None:
            self.visit.end(200)
        self._send(
            format_response(
                200,
                page,
                content_type=content_type,
                headers=self._connection_line(),
                without_body=self.without_body,
            )
        )

    def refuse(self, status: int, message: str, headers: bytes = b"") -> None:
        """Answer with an error."""
        self.respond(status, encode_error(message), headers)

    def reply(self, answer: Answer | Refusal) -> None:
        """Answer an inference request; a `modeldyno.server.call.Reply`."""
        if isinstance(answer, Refusal):
            retry = b"" if answer.retry_after_s is None else b"Retry-After: %d\r\n" % answer.retry_after_s
            self.refuse(answer.status, answer.message, retry)
            return
        if self.visit is not None:
            self.visit.end(200)
        headers = self._connection_line()
        if self.with_timing:
            headers += format_server_timing(cast("Times", astuple(answer.times)))
        body, header_length = answer.body
        accepted = self.accepted
        if accepted is not None and len(body) >= _WORTH_COMPRESSING_BYTES:
            # Libraries offer a list of codings unasked. Tensors compress badly and slowly, so one must be asked for.
            coding = choose_coding(accepted) if header_length is None or b"," not in accepted else None
            headers += b"Vary: Accept-Encoding\r\n"
            if coding is not None:
                headers += b"Content-Encoding: %b\r\n" % coding
                body = compress(body, coding)
        if header_length is None:
            self._send(format_response(200, body, headers=headers))
        else:
            self._send(format_tensors(body, header_length, headers))

    def abandon(self) -> None:
        """The client is gone: nobody waits for the answer any more."""
        if self.abandoned is not None:
            self.abandoned()
            self.abandoned = None
        if self.visit is not None:
            self.visit.end(CANCELLED)

    def _connection_line(self) -> bytes:
        if self.closes or self.outlet.must_close():
            self.closes = True
            return b"Connection: close\r\n"
        return self.keep_alive_line

    def _send(self, message: bytes) -> None:
        self.abandoned = None
        self.message = message
        self.outlet.flush()


class Handler(Protocol):
    """What a listener hands its requests to."""

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """Answer now, or arrange for it."""
        ...
