"""Answers to `ModelInfer` of the Open Inference Protocol over gRPC."""

from modeldyno.loadgen.readers.v2 import request_id
from modeldyno.loadgen.server_timing import parse_server_timing
from modeldyno.loadgen.transports.connection import Answer
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.records.requests import Outcome
from modeldyno.wire.errors import WireError
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError
from modeldyno.wire.v2_grpc import parse_infer_response


class V2GrpcReader:
    """Code 0 with a `ModelInferResponse` to the request is an answer; metadata `server-timing` is understood.

    A server that leaves the id out is left alone, as over HTTP.
    """

    streams = False

    def __init__(self) -> None:
        self._which = -1

    def begin(self, which: int) -> None:
        """See `AnswerReader`."""
        self._which = which

    def piece(self, data: bytes, moment_ns: int) -> None:
        """See `AnswerReader`."""

    def read(self, response: HttpResponse) -> Answer:
        """See `AnswerReader`."""
        outcome = Outcome.GRPC_ERROR if response.status != GrpcStatus.OK else self._judge(response.body)
        times = response.headers.get(b"server-timing")
        return Answer(
            outcome,
            response.status,
            response.keep_alive,
            parse_server_timing(times) if times is not None else None,
        )

    def _judge(self, message: bytes) -> Outcome:
        try:
            answered = parse_infer_response(message).id
        except WireError as problem:
            raise MalformedResponseError(problem.message) from problem
        return Outcome.MISMATCHED if answered and answered != request_id(self._which) else Outcome.OK
