"""A server that does nothing but answer: `python -m modeldyno.testing.null_server --port 0`.

It speaks enough of the Open Inference Protocol and of the OpenAI protocol for a load generator to find a model and
send requests, and answers each with the same valid answer, unread: binary tensors from the model `null`, JSON from
`null-json`, a chat streamed in one piece. What a client measures against it is the client's own floor. The first line
on stdout is its URL; it ends on SIGTERM or SIGINT. `null_grpc_server` is its counterpart.
"""

import asyncio
import sys
from functools import partial
from typing import cast

import httptools
import numpy as np

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.standing import place_asked, run_standing
from modeldyno.wire.http1_head import format_response, format_tensors
from modeldyno.wire.v2_documents import LIVE, READY, encode_error, encode_model_metadata, encode_server_metadata
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_response import InferResponseEncoder
from modeldyno.wire.v2_wishes import OutputWish

MODEL = "null"
JSON_MODEL = "null-json"
STREAMED_TOKENS = 16
SIGNATURE = Signature(
    inputs=(TensorSpec(name="input", datatype="FP32", shape=("batch", 64)),),
    outputs=(TensorSpec(name="output", datatype="FP32", shape=("batch", 10)),),
)


def _infer_answer(model: str, *, binary: bool) -> bytes:
    request = InferRequest({}, 1, 64, ((64,),), (OutputWish("output", binary=binary),), None)
    outputs = {"output": np.zeros((1, 10), np.float32)}
    body, header_length = InferResponseEncoder(model, "1", SIGNATURE).encode(request, outputs)
    return format_response(200, body) if header_length is None else format_tensors(body, header_length)


def _chat_answer() -> bytes:
    pieces = [b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'] * STREAMED_TOKENS
    end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, end, b"data: [DONE]\n\n", b"")]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(chunks)


def _answers() -> dict[bytes, bytes]:
    answers = {
        b"/v2": format_response(200, encode_server_metadata("modeldyno null server", "1")),
        b"/v2/health/live": format_response(200, LIVE),
        b"/v2/health/ready": format_response(200, READY),
        b"/v1/models": format_response(200, b'{"object":"list","data":[{"id":"null","object":"model"}]}'),
        b"/v1/chat/completions": _chat_answer(),
    }
    for name in (MODEL, JSON_MODEL):
        model = f"/v2/models/{name}".encode()
        answers |= {
            model: format_response(200, encode_model_metadata(name, ["1"], "null", SIGNATURE)),
            model + b"/ready": format_response(200, READY),
            model + b"/infer": _infer_answer(name, binary=name == MODEL),
        }
    return answers


class _NullConnection(asyncio.Protocol):
    """Counts the ends of requests and writes as many answers."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(
            "asyncio.Transport", transport
        )  # a cast, since uvloop's transports are none of asyncio's

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        """See `asyncio.Protocol`."""
        self._parser = None

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.write(format_response(400, encode_error("not a valid HTTP/1.1 request")))
                self._transport.close()

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._target = url

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._transport is None:
            return
        answer = self._answers.get(self._target)
        self._transport.write(answer or format_response(404, encode_error("the null server has no such path")))


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    place = place_asked(arguments, module="modeldyno.testing.null_server", description=__doc__)
    run_standing(lambda: partial(_NullConnection, _answers()), place)


if __name__ == "__main__":
    main(sys.argv[1:])
