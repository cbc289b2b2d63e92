"""A gRPC server that does nothing but answer: `python -m modeldyno.testing.null_grpc_server --port 0`.

The counterpart of `null_server` for the Open Inference Protocol over gRPC: it has the same model, and answers every
`ModelInfer` with the same valid tensors, unread. What a client measures against it is the client's own floor. The
first line on stdout is its URL; it ends on SIGTERM or SIGINT.
"""

import asyncio
import struct
import sys
from functools import partial
from typing import Any, cast

from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.testing.null_server import MODEL, SIGNATURE
from modeldyno.testing.standing import place_asked, run_standing
from modeldyno.wire.header_block import BlockReader, encode_block
from modeldyno.wire.http1_response import MalformedResponseError
from modeldyno.wire.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    PREFACE,
    ErrorCode,
    FrameReader,
    FrameType,
    Setting,
    format_frame,
    format_headers,
    format_settings,
    format_window_update,
    strip_padding,
    strip_priority,
)
from modeldyno.wire.v2_messages import message_class, method_path

_WINDOW_BYTES = 1 << 24
_HEAD = encode_block([(":status", "200"), ("content-type", "application/grpc")])
_OK = encode_block([("grpc-status", "0")])
_UNKNOWN = encode_block(
    [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", str(int(GrpcStatus.UNIMPLEMENTED))),
        ("grpc-message", "the null server knows ModelInfer, ModelMetadata and RepositoryIndex"),
    ]
)


def _answers() -> dict[bytes, bytes]:
    """Path to framed message."""
    infer = message_class("ModelInferResponse")(model_name=MODEL, model_version="1")
    metadata = message_class("ModelMetadataResponse")(name=MODEL, versions=["1"], platform="null")
    for described, specs in ((metadata.inputs, SIGNATURE.inputs), (metadata.outputs, SIGNATURE.outputs)):
        for spec in specs:
            described.add(name=spec.name, datatype=spec.datatype, shape=spec.wire_shape)
    for spec in SIGNATURE.outputs:
        infer.outputs.add(name=spec.name, datatype=spec.datatype, shape=[1, 10])
        infer.raw_output_contents.append(bytes(40))
    index = message_class("RepositoryIndexResponse")()
    index.models.add(name=MODEL, version="1", state="READY")
    messages = {"ModelInfer": infer, "ModelMetadata": metadata, "RepositoryIndex": index}
    return {method_path(name).encode(): _frame(message) for name, message in messages.items()}


def _frame(message: Any) -> bytes:
    content = bytes(message.SerializeToString())
    return struct.pack(">BI", 0, len(content)) + content


class _NullConnection(asyncio.Protocol):
    """Reads frames as far as it must, and answers each stream when it ends.

    It counts no window of the client's: one of 64 kB holds hundreds of answers, and clients widen it long before.
    """

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._frames = FrameReader()
        self._blocks = BlockReader()
        self._preface = b""
        self._paths: dict[int, bytes] = {}
        self._returnable = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)
        settings = {Setting.HEADER_TABLE_SIZE: 0, Setting.INITIAL_WINDOW_SIZE: _WINDOW_BYTES}
        self._transport.write(format_settings(settings) + format_window_update(0, _WINDOW_BYTES - FIRST_WINDOW))

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._transport is None:
            return
        if len(self._preface) < len(PREFACE):
            missing = len(PREFACE) - len(self._preface)
            self._preface, data = self._preface + data[:missing], data[missing:]
        is_sound = PREFACE.startswith(self._preface)
        answers = b""
        try:
            if is_sound:
                answers = b"".join(self._take(*frame) for frame in self._frames.feed(data))
        except MalformedResponseError:
            is_sound = False
        if answers:
            self._transport.write(answers)
        if not is_sound:
            goaway = struct.pack(">II", 0, ErrorCode.PROTOCOL_ERROR)
            self._transport.write(format_frame(FrameType.GOAWAY, 0, 0, goaway))
            self._transport.close()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        if kind == FrameType.HEADERS:
            if not flags & END_HEADERS:
                raise MalformedResponseError("headers of more than one frame are not for a null server")
            block = strip_priority(flags, strip_padding(flags, payload))
            self._paths[stream] = self._blocks.decode(block).get(b":path", b"")
        elif kind == FrameType.RST_STREAM:
            self._paths.pop(stream, None)
        elif kind in (FrameType.SETTINGS, FrameType.PING):
            return b"" if flags & ACK else format_frame(kind, ACK, 0, payload if kind == FrameType.PING else b"")
        elif kind == FrameType.DATA:
            self._returnable += len(payload)
        ends = flags & END_STREAM and kind in (FrameType.HEADERS, FrameType.DATA) and stream in self._paths
        return (self._answer(stream) if ends else b"") + self._widened(stream, 0 if ends else len(payload), kind)

    def _widened(self, stream: int, size: int, kind: int) -> bytes:
        """Room for the rest of a large request, and for those after it."""
        widened = format_window_update(stream, size) if kind == FrameType.DATA and size else b""
        if self._returnable >= _WINDOW_BYTES // 2:
            widened += format_window_update(0, self._returnable)
            self._returnable = 0
        return widened

    def _answer(self, stream: int) -> bytes:
        message = self._answers.get(self._paths.pop(stream))
        if message is None:
            return format_headers(stream, _UNKNOWN, end_stream=True)
        data = format_frame(FrameType.DATA, 0, stream, message)
        return format_headers(stream, _HEAD) + data + format_headers(stream, _OK, end_stream=True)


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    place = place_asked(arguments, module="modeldyno.testing.null_grpc_server", description=__doc__)
    run_standing(lambda: partial(_NullConnection, _answers()), place, scheme="grpc")


if __name__ == "__main__":
    main(sys.argv[1:])
