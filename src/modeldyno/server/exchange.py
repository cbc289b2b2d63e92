"""One HTTP request and the answer it gets."""

from collections.abc import Callable
from typing import Protocol

from modeldyno.server.call import Answer, Refusal
from modeldyno.wire.http1_head import format_response, format_server_timing, format_tensors
from modeldyno.wire.v2_documents import encode_error


class Outlet(Protocol):
    """Where an exchange's message goes: the connection it came from."""

    def must_close(self) -> bool:
        """Whether the answer being written is the connection's last."""
        ...

    def flush(self) -> None:
        """Write the messages that are there, in the order of their requests."""
        ...


class Exchange:
    """Takes one answer, makes it HTTP, and hands it to the connection, which keeps the order."""

    __slots__ = (
        "_keep_alive_line",
        "_outlet",
        "_with_timing",
        "_without_body",
        "abandoned",
        "closes",
        "message",
        "started_ns",
    )

    abandoned: Callable[[], None] | None
    """Called when the client is gone before the answer."""

    def __init__(
        self,
        outlet: Outlet,
        *,
        started_ns: int,
        closes: bool = False,
        keep_alive_line: bytes = b"",
        without_body: bool = False,
        with_timing: bool = False,
    ) -> None:
        self._outlet = outlet
        self._keep_alive_line = keep_alive_line
        self._without_body = without_body
        self._with_timing = with_timing
        self.started_ns = started_ns
        self.closes = closes
        """Whether the connection ends after this answer."""
        self.message: bytes | None = None
        """The whole answer, once it is there."""
        self.abandoned = None

    def respond(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """Answer with a JSON document."""
        self._send(
            format_response(status, body, headers=headers + self._connection_line(), without_body=self._without_body)
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
        headers = self._connection_line()
        if self._with_timing:
            preprocess_ns, queue_ns, inference_ns, postprocess_ns = answer.times
            headers += format_server_timing(
                preprocess_ns=preprocess_ns,
                queue_ns=queue_ns,
                inference_ns=inference_ns,
                postprocess_ns=postprocess_ns,
            )
        body, header_length = answer.body
        if header_length is None:
            self._send(format_response(200, body, headers=headers))
        else:
            self._send(format_tensors(body, header_length, headers))

    def _connection_line(self) -> bytes:
        if self.closes or self._outlet.must_close():
            self.closes = True
            return b"Connection: close\r\n"
        return self._keep_alive_line

    def _send(self, message: bytes) -> None:
        self.abandoned = None
        self.message = message
        self._outlet.flush()
