"""One gRPC call, or one request of a stream of them, as the exchange that the router answers."""

from typing import Protocol

from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.server.call import Answer, Refusal
from modeldyno.server.exchange import Exchange
from modeldyno.wire.grpc_answer import OK, code_of, timed_trailers
from modeldyno.wire.http1_head import format_server_timing
from modeldyno.wire.v2_grpc_infer import AnswerTranslator, HttpInfer, stream_answer, stream_error
from modeldyno.wire.v2_grpc_methods import Method, error_text
from modeldyno.wire.v2_tensors import Buffer


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
    """A call that is answered with a document of the HTTP form, which `method` translates."""

    __slots__ = ("_grpc", "_method", "_stream")

    def __init__(self, outlet: GrpcOutlet, stream: int, method: Method, *, started_ns: int) -> None:
        super().__init__(outlet, started_ns=started_ns)
        self._grpc = outlet
        self._stream = stream
        self._method = method

    def respond(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """See `Exchange`."""
        self.abandoned = None
        if self.visit is not None:
            self.visit.end(status)
        message = self._method.answer(status, body)
        if message is None:
            self._grpc.fail(self._stream, code_of(status), error_text(body), _retry_after_s(headers))
        else:
            self._grpc.answer(self._stream, [message], OK)


class InferExchange(Exchange):
    """A `ModelInfer`.

    Args:
        outlet: the connection.
        stream: of the call.
        answers: translate for this connection.
        asked: the request, translated.
        started_ns: when its last byte came.
        timed: whether the server's own times go with the answer.
    """

    __slots__ = ("_answers", "_grpc", "_identity", "_is_raw", "_stream", "_timed")

    def __init__(
        self,
        outlet: GrpcOutlet,
        stream: int,
        *,
        answers: AnswerTranslator,
        asked: HttpInfer,
        started_ns: int,
        timed: bool,
    ) -> None:
        super().__init__(outlet, started_ns=started_ns)
        self._grpc = outlet
        self._stream = stream
        self._answers = answers
        self._identity = asked.id
        self._is_raw = asked.is_raw
        self._timed = timed

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
        else:
            self._take(answer)

    def _fail(self, refusal: Refusal) -> None:
        self._grpc.fail(self._stream, code_of(refusal.status), refusal.message, refusal.retry_after_s)

    def _take(self, answer: Answer) -> None:
        trailers = OK
        if self._timed:
            line = format_server_timing(*answer.times)
            trailers = timed_trailers(line.partition(b": ")[2].rstrip())
        self._grpc.answer(self._stream, self._translated(answer), trailers)

    def _translated(self, answer: Answer) -> list[Buffer]:
        body, header_length = answer.body
        return self._answers.translate(body, header_length, self._identity, is_raw=self._is_raw)


class StreamedExchange(InferExchange):
    """One request of a `ModelStreamInfer`; its errors go with the stream, and do not end it."""

    __slots__ = ()

    def _take(self, answer: Answer) -> None:
        self._grpc.answer_piece(self, self._stream, stream_answer(self._translated(answer)))

    def _fail(self, refusal: Refusal) -> None:
        self._grpc.answer_piece(self, self._stream, [stream_error(refusal.message)])


def _retry_after_s(headers: bytes) -> int | None:
    """What a refusal for HTTP says about when to come back."""
    _, found, rest = headers.partition(b"Retry-After: ")
    digits = rest.partition(b"\r\n")[0]
    return int(digits) if found and digits.isdigit() else None
