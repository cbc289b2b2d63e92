"""`ModelInfer` to the binary form of the HTTP request, and its answer back: both forms mean the same.

So there is one decoder of requests, one set of checks and one encoder of answers for both. What a request says beside
its id and its raw tensors is the same from one to the next, and is translated once.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import numpy as np

from modeldyno.records.signature import DATATYPES
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_messages import message_class, parse_message
from modeldyno.wire.v2_tensors import Buffer, decode_binary, decode_json, encode_binary

_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
_ID, _RAW_INPUT = 0x1A, 0x3A
_LENGTH_DELIMITED = frozenset({0x0A, 0x12, _ID, 0x22, 0x2A, 0x32, _RAW_INPUT})
"""Tags of all fields of a `ModelInferRequest`."""
_RAW_OUTPUT = b"\x32"
_ALIGNMENT = 64
_MOST_REMEMBERED = 256
_MOST_REMEMBERED_BYTES = 4096


class HttpInfer(NamedTuple):
    """A request in the binary form of HTTP."""

    target: bytes
    body: bytes
    header_length: int
    """Of the JSON at the begin of the body."""
    id: bytes
    """UTF-8; it stays with the gRPC side, so that the JSON is the same for every request."""
    is_raw: bool
    """Whether tensors came raw, and so go back raw."""


class _Said(NamedTuple):
    """What a request says beside its id and its tensors."""

    target: bytes
    header: bytes


class InferTranslator:
    """Requests to the binary form of HTTP; remembers what they say, a bounded number of it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, tuple[int, ...]], _Said] = {}

    def translate(self, message: Buffer) -> HttpInfer:
        """The request in a `ModelInferRequest`; whether it fits the model is not looked at.

        Raises:
            WireError: it is none, or tensors came both raw and typed, or too few or too many of them.
        """
        fields = _split(message) or _split(_normal(message))
        if fields is None:
            raise WireError("not a valid ModelInferRequest")
        meta, identity, raw = fields
        try:
            identity.decode()
        except UnicodeDecodeError:
            raise WireError(f"the id {identity[:20]!r} is not UTF-8") from None
        if not raw:
            return self._translate_typed(parse_message("ModelInferRequest", meta), identity)
        key = meta, tuple(map(len, raw))
        said = self._known.get(key)
        if said is None:
            request = parse_message("ModelInferRequest", meta)
            said = _Said(_target(request), _describe(request, _raw_sizes(request, raw)))
            if len(meta) <= _MOST_REMEMBERED_BYTES:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[key] = said
        body = b"".join((said.header, *raw))
        return HttpInfer(said.target, body, len(said.header), identity, is_raw=True)

    def _translate_typed(self, request: Any, identity: bytes) -> HttpInfer:
        tensors = [_encode_typed(tensor) for tensor in request.inputs]
        header = _describe(request, [len(tensor) for tensor in tensors])
        return HttpInfer(_target(request), b"".join((header, *tensors)), len(header), identity, is_raw=False)


def model_path(model: str, version: str, end: str = "") -> bytes:
    """The path of a model, or of one of its versions, with what is asked of it.

    Raises:
        WireError: the name is empty.
    """
    if not model:
        raise WireError("the name of the model is empty")
    path = f"/v2/models/{quote(model, safe='')}"
    return f"{path}/versions/{quote(version, safe='')}{end}".encode() if version else f"{path}{end}".encode()


def _target(request: Any) -> bytes:
    return model_path(request.model_name, request.model_version, "/infer")


def _split(message: Buffer) -> tuple[bytes, bytes, list[memoryview]] | None:
    """What it says, its id and its raw tensors; None when it is not as protobuf libraries write it.

    By hand, for it finds large tensors without copying them and small ones in less time than the library.
    """
    view = memoryview(message)
    position, size = 0, len(view)
    meta: list[memoryview] = []
    raw: list[memoryview] = []
    identity = b""
    while position < size:
        begin = position
        tag = view[position]
        if tag not in _LENGTH_DELIMITED:
            return None
        length = shift = 0
        while True:
            position += 1
            if position >= size or shift > 28:
                return None
            byte = view[position]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        start = position + 1
        position = start + length
        if position > size:
            return None
        if tag == _RAW_INPUT:
            raw.append(view[start:position])
        elif tag == _ID:
            identity = bytes(view[start:position])
        else:
            meta.append(view[begin:position])
    return b"".join(meta), identity, raw


def _normal(message: Buffer) -> bytes:
    """The message without fields that we do not know."""
    request = parse_message("ModelInferRequest", bytes(message))
    request.DiscardUnknownFields()
    return bytes(request.SerializeToString())


def _raw_sizes(request: Any, raw: Sequence[memoryview]) -> list[int]:
    for tensor in request.inputs:
        if tensor.HasField("contents"):
            raise WireError(f"input {tensor.name!r} has contents, although raw_input_contents came as well")
        if "shared_memory_region" in tensor.parameters:
            raise WireError(f"input {tensor.name!r}: shared memory is not offered; send data")
    if len(raw) != len(request.inputs):
        raise WireError(f"the request has {len(request.inputs)} inputs, but {len(raw)} raw_input_contents")
    return [len(one) for one in raw]


def _describe(request: Any, sizes: Sequence[int]) -> bytes:
    """The JSON of the binary form, padded so that numbers begin at a multiple of their size."""
    document = {
        "inputs": [
            {
                "name": tensor.name,
                "datatype": tensor.datatype,
                "shape": list(tensor.shape),
                "parameters": {**parameters_of(tensor.parameters), "binary_data_size": size},
            }
            for tensor, size in zip(request.inputs, sizes, strict=True)
        ],
        "outputs": [
            {"name": output.name, "parameters": {**parameters_of(output.parameters), "binary_data": True}}
            for output in request.outputs
        ],
        "parameters": {**parameters_of(request.parameters), "binary_data_output": True},
    }
    header = msgspec.json.encode(document)
    return header + b" " * (-len(header) % _ALIGNMENT)


def parameters_of(parameters: Any) -> dict[str, object]:
    """The values of a map of parameters; one without a value is left out."""
    values = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        if choice is not None:
            values[name] = getattr(parameter, choice)
    return values


def _encode_typed(tensor: Any) -> bytes:
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        if tensor.datatype in DATATYPES:
            raise WireError(f"input {tensor.name!r} is {tensor.datatype}, which can only be sent as raw_input_contents")
        raise WireError(f"input {tensor.name!r} has the unknown datatype {tensor.datatype!r}")
    for other, _ in tensor.contents.ListFields():
        if other.name != field:
            raise WireError(f"input {tensor.name!r} is {tensor.datatype}, but came as {other.name}")
    values = getattr(tensor.contents, field)
    if len(values) != math.prod(tensor.shape):
        raise WireError(
            f"input {tensor.name!r} of shape {list(tensor.shape)} takes {math.prod(tensor.shape)} values; "
            f"{len(values)} came as {field}"
        )
    try:
        array = np.array(list(values), DATATYPES[tensor.datatype])
    except OverflowError as problem:
        raise WireError(f"input {tensor.name!r} holds a value out of the range of {tensor.datatype}") from problem
    return encode_binary(array, tensor.datatype)


class _Output(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, str | int | float | bool | None] = {}
    data: msgspec.Raw = msgspec.Raw()


class _Answer(msgspec.Struct, frozen=True):
    model_name: str
    outputs: list[_Output]
    model_version: str = ""
    parameters: dict[str, str | int | float | bool | None] = {}


_ANSWERS = msgspec.json.Decoder(_Answer)
_INFER_RESPONSE = b"\x12"
"""Tag of `infer_response` in a `ModelStreamInferResponse`."""


class AnswerTranslator:
    """Answers of the binary form of HTTP to `ModelInferResponse`s; remembers what they say."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, tuple[int, ...]]] = {}

    def translate(self, body: bytes, header_length: int | None, identity: bytes, *, is_raw: bool) -> list[Buffer]:
        """The message, in parts.

        Args:
            body: of an HTTP answer.
            header_length: how much of it is JSON; None is all.
            identity: the request's id.
            is_raw: whether tensors go raw or typed.
        """
        header = body if header_length is None else body[:header_length]
        known = self._known.get(header) if is_raw else None
        if known is None:
            answer = _ANSWERS.decode(header)
            if not is_raw or any("binary_data_size" not in output.parameters for output in answer.outputs):
                return [_typed_answer(answer, body[len(header) :], identity, is_raw=is_raw)]
            known = _prefix(answer), tuple(int(output.parameters["binary_data_size"] or 0) for output in answer.outputs)
            if len(header) <= _MOST_REMEMBERED_BYTES:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[header] = known
        prefix, sizes = known
        parts: list[Buffer] = [prefix]
        if identity:
            parts += (b"\x1a", _varint(len(identity)), identity)
        view, position = memoryview(body), len(header)
        for size in sizes:
            parts += (_RAW_OUTPUT, _varint(size), view[position : position + size])
            position += size
        return parts


def stream_answer(parts: list[Buffer]) -> list[Buffer]:
    """A `ModelInferResponse` as the `ModelStreamInferResponse` around it."""
    return [_INFER_RESPONSE, _varint(sum(map(len, parts))), *parts]


def stream_error(message: str) -> bytes:
    """A `ModelStreamInferResponse` for a request of the stream that failed; the stream goes on."""
    return bytes(message_class("ModelStreamInferResponse")(error_message=message).SerializeToString())


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _response(answer: _Answer) -> Any:
    response = message_class("ModelInferResponse")(model_name=answer.model_name, model_version=answer.model_version)
    fill_parameters(response.parameters, answer.parameters)
    for output in answer.outputs:
        described = response.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        fill_parameters(
            described.parameters, {name: one for name, one in output.parameters.items() if name != "binary_data_size"}
        )
    return response


def _prefix(answer: _Answer) -> bytes:
    return bytes(_response(answer).SerializeToString())


def _typed_answer(answer: _Answer, tensors: Buffer, identity: bytes, *, is_raw: bool) -> bytes:
    response = _response(answer)
    response.id = identity.decode()
    # FP16 and BF16 have no typed form, and a message is either raw or typed.
    is_raw = is_raw or any(output.datatype not in _CONTENTS for output in answer.outputs)
    position = 0
    for output, described in zip(answer.outputs, response.outputs, strict=True):
        size = output.parameters.get("binary_data_size")
        if isinstance(size, int):
            array = decode_binary(output.datatype, output.shape, tensors, position, size)
            position += size
        else:
            array = decode_json(output.datatype, output.shape, bytes(output.data))
        if is_raw:
            response.raw_output_contents.append(encode_binary(array, output.datatype))
        else:
            getattr(described.contents, _CONTENTS[output.datatype]).extend(array.ravel().tolist())
    return bytes(response.SerializeToString())


def fill_parameters(target: Any, values: dict[str, str | int | float | bool | None]) -> None:
    """Put JSON values into a map of `InferParameter`s; null is left out."""
    for name, value in values.items():
        if isinstance(value, bool):
            target[name].bool_param = value
        elif isinstance(value, int):
            target[name].int64_param = value
        elif isinstance(value, float):
            target[name].double_param = value
        elif isinstance(value, str):
            target[name].string_param = value
