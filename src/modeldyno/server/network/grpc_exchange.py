"""One gRPC call, or one request of a stream of them, as the exchange that the router answers."""

import logging
from typing import Protocol, cast

from msgspec.structs import astuple

from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.server.call import Answer, Refusal
from modeldyno.server.exchange import Exchange
from modeldyno.wire.grpc_answer import OK, code_of, timed_trailers
from modeldyno.wire.http1_head import Times, format_server_timing
from modeldyno.wire.v2_grpc_infer import AnswerTranslator, stream_answer, stream_error
from modeldyno.wire.v2_grpc_methods import Method, error_text
from modeldyno.wire.v2_tensors import Buffer

_LOG = logging.getLogger("modeldyno.server")


class GrpcOutlet(Protocol):
    """Where the answers go: the connection of the calls."""

    def must_close(self) -> bool:
        """Never: streams end, the connection stays."""
        ...

    def flush(self) -> None:
        """Nothing is kept back."""
        ...

    def answer(self, stream: int, parts: list[Buffer], trailers: bytes) -> None:
        """End a call with a message."""
        ...

    def fail(self, stream: int, code: GrpcStatus, message: str, retry_after_s: int | None = None) -> None:
        """End a call without one."""
        ...

    def answer_piece(self, exchange: Exchange, stream: int, parts: list[Buffer]) -> None:
        """Answer one request of a stream."""
        ...


class DocumentExchange(Exchange):
    """A call that is answered with a document of the HTTP form, which `method` translates.

    Args:
        calls: where the answer goes.
        stream: of the call.
        method: that is called.
        started_ns: when the call's first byte came.
    """

    def __init__(self, calls: GrpcOutlet, stream: int, method: Method, *, started_ns: int) -> None:
        super().__init__(calls, started_ns=started_ns)
        self._calls = calls
        self._stream = stream
        self._method = method

    def respond(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """See `Exchange`."""
        self.abandoned = None
        if self.visit is not None:
            self.visit.end(status)
        message = self._method.answer(status, body)
        if message is None:
            self._calls.fail(self._stream, code_of(status), error_text(body), _retry_after_s(headers))
        else:
            self._calls.answer(self._stream, [message], OK)


class InferExchange(Exchange):
    """A `ModelInfer`.

    Args:
        calls: where the answer goes.
        stream: of the call.
        answers: of this connection.
        identity: of the request, as the client wrote it.
        is_raw: whether its tensors were raw, as those of the answer will be.
        started_ns: when the call's first byte came.
        with_timing: whether it is answered with its times.
    """

    def __init__(
        self,
        calls: GrpcOutlet,
        stream: int,
        answers: AnswerTranslator,
        *,
        identity: bytes,
        is_raw: bool,
        started_ns: int,
        with_timing: bool = False,
    ) -> None:
        super().__init__(calls, started_ns=started_ns, with_timing=with_timing)
        self._calls = calls
        self._stream = stream
        self._answers = answers
        self._identity = identity
        self._is_raw = is_raw

    def respond(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """See `Exchange`; inference is answered by `reply`, so that this is an error."""
        self.reply(Refusal(status, error_text(body), _retry_after_s(headers)))

    def reply(self, answer: Answer | Refusal) -> None:
        """See `Exchange`."""
        self.abandoned = None
        if self.visit is not None:
            self.visit.end(answer.status if isinstance(answer, Refusal) else 200)
        if isinstance(answer, Refusal):
            self._fail(answer)
            return
        body, header_length = answer.body
        try:
            parts = self._answers.translate(body, header_length, self._identity, is_raw=self._is_raw)
        except Exception:  # noqa: BLE001 - it is logged; the call counts as answered, and its client would wait in vain
            _LOG.exception("an answer could not be put in a message")
            self._fail(Refusal(500, "a fault of the server; its log says more"))
        else:
            self._take(answer, parts)

    def _fail(self, refusal: Refusal) -> None:
        self._calls.fail(self._stream, code_of(refusal.status), refusal.message, refusal.retry_after_s)

    def _take(self, answer: Answer, parts: list[Buffer]) -> None:
        trailers = OK
        if self.with_timing:
            line = format_server_timing(cast("Times", astuple(answer.times)))
            trailers = timed_trailers(line.partition(b": ")[2].rstrip())
        self._calls.answer(self._stream, parts, trailers)


class StreamedExchange(InferExchange):
    """One request of a `ModelStreamInfer`; its errors go with the stream, and do not end it."""

    def _take(self, answer: Answer, parts: list[Buffer]) -> None:  # noqa: ARG002 - times go at the end of a stream
        self._calls.answer_piece(self, self._stream, stream_answer(parts))

    def _fail(self, refusal: Refusal) -> None:
        self._calls.answer_piece(self, self._stream, [stream_error(refusal.message)])


def _retry_after_s(headers: bytes) -> int | None:
    """What a refusal for HTTP says about when to come back."""
    _, found, rest = headers.partition(b"Retry-After: ")
    digits = rest.partition(b"\r\n")[0]
    return int(digits) if found and digits.isdigit() else None
