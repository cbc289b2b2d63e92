"""Tensors of the Open Inference Protocol v2, as JSON data and in the binary tensor extension.

Sources: `specification/protocol/inference_rest.md` of the protocol, and Triton's
`docs/protocol/extension_binary_data.md`: little-endian, row-major, BOOL one byte, a BYTES element as a 4-byte
length and the bytes.
"""

import math
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.records.signature import DATATYPES, WITHOUT_JSON
from modeldyno.wire.errors import WireError
from modeldyno.wire.number_arrays import read_numbers

Buffer = bytes | bytearray | memoryview

LITTLE_ENDIAN = {
    datatype: np.dtype(name).newbyteorder("<") if name != "object" else np.dtype(object)
    for datatype, name in DATATYPES.items()
}
"""Datatype to the NumPy dtype of its bytes on the wire."""

_LENGTH = struct.Struct("<I")
_WHITESPACE = b" \t\r\n"


def decode_binary(datatype: str, shape: Sequence[int], buffer: Buffer, start: int, size: int) -> NDArray[np.generic]:
    """The tensor in `buffer[start:start + size]`; numeric ones share the buffer's memory where they can.

    Raises:
        WireError: `size` is not what the shape needs, or a BYTES element runs past its end.
    """
    if datatype == "BYTES":
        return _decode_elements(shape, memoryview(buffer)[start : start + size])
    dtype = LITTLE_ENDIAN[datatype]
    count = math.prod(shape)
    if count * dtype.itemsize != size:
        raise WireError(
            f"a {datatype} tensor of shape {list(shape)} takes {count * dtype.itemsize} bytes; {size} were given"
        )
    if datatype == "BOOL":
        # Any byte but 0 is true; NumPy's bool must be 0 or 1.
        truths: NDArray[np.generic] = (np.frombuffer(buffer, np.uint8, count, start) != 0).reshape(shape)
        return truths
    array: NDArray[np.generic] = np.ndarray(shape, dtype, buffer, start)
    if not isinstance(buffer, bytes):
        array.flags.writeable = False  # as of bytes: the audit log keeps a digest of what was sent
    return array if array.flags.aligned else array.copy()


def _decode_elements(shape: Sequence[int], view: memoryview) -> NDArray[np.generic]:
    count = math.prod(shape)
    if count * _LENGTH.size > len(view):
        raise WireError(f"a BYTES tensor of shape {list(shape)} takes more than the {len(view)} bytes given")
    elements = np.empty(count, object)
    position = 0
    for index in range(count):
        begin = position + _LENGTH.size
        if begin > len(view):
            raise WireError(f"BYTES element {index} of {count} has no length: the {len(view)} bytes ended before it")
        position = begin + _LENGTH.unpack_from(view, position)[0]
        if position > len(view):
            raise WireError(f"BYTES element {index} of {count} runs past the end of its {len(view)} bytes")
        elements[index] = bytes(view[begin:position])
    if position != len(view):
        raise WireError(f"{len(view) - position} bytes are left over after {count} BYTES elements")
    return elements.reshape(shape)


def encode_binary(array: NDArray[np.generic], datatype: str) -> bytes:
    """The tensor's bytes on the wire."""
    if datatype != "BYTES":
        dtype = LITTLE_ENDIAN[datatype]
        if array.dtype == dtype:
            return array.tobytes()
        if datatype == "BF16":  # of which `astype` would make zeros
            raise TypeError(f"a BF16 tensor holds {dtype}, not {array.dtype}")
        return array.astype(dtype).tobytes()
    parts: list[bytes] = []
    for element in array.ravel().tolist():
        content = _to_bytes(element)
        parts += (_LENGTH.pack(len(content)), content)
    return b"".join(parts)


def _to_bytes(element: object) -> bytes:
    if isinstance(element, bytes):
        return element
    if isinstance(element, str):
        return element.encode()
    raise TypeError(f"a BYTES tensor holds bytes, not {type(element).__name__}")


def decode_json(datatype: str, shape: Sequence[int], data: Buffer) -> NDArray[np.generic]:
    """The tensor in the JSON array `data`, nested by `shape` or flat in row-major order.

    Raises:
        WireError: not numbers, strings or booleans as the datatype says, out of its range, or not of that shape.
    """
    if datatype in WITHOUT_JSON:
        raise WireError(f"{datatype} has no JSON form; send it in binary (parameter binary_data_size)")
    numbers = read_numbers(datatype, shape, bytes(data))
    if numbers is not None:
        return numbers
    depth = _depth(data, len(shape))
    try:
        values = _decoder(datatype, depth).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise WireError(f"data is not an array of {datatype} values: {problem}") from problem
    array = _to_array(values, datatype, depth)
    if depth > 1 and array.shape != tuple(shape):
        raise WireError(f"data is nested as {list(array.shape)}, but shape says {list(shape)}")
    if array.size != math.prod(shape):
        raise WireError(f"data has {array.size} values, but shape {list(shape)} takes {math.prod(shape)}")
    return array.reshape(shape)


def _depth(data: Buffer, rank: int) -> int:
    """How many brackets `data` opens with: 1 or `rank`."""
    opening = bytes(data[: 4 * rank + 64]).translate(None, _WHITESPACE)
    depth = len(opening) - len(opening.lstrip(b"["))
    if depth not in {1, rank}:
        raise WireError(f"data is nested {depth} deep; flat (1) or as shape says ({rank}) is understood")
    return depth


@cache
def _decoder(datatype: str, depth: int) -> msgspec.json.Decoder[Any]:
    # Ranks are bounded by the signature, so the cache is.
    kind: Any = {"BOOL": bool, "BYTES": str, "FP32": float, "FP64": float}.get(datatype, int)
    for _ in range(depth):
        kind = list[kind]
    return msgspec.json.Decoder(kind)


def _to_array(values: list[Any], datatype: str, depth: int) -> NDArray[np.generic]:
    try:
        if datatype == "BYTES":
            return _encode_texts(np.array(values, object), depth)
        if datatype == "FP32":
            with np.errstate(over="raise"):
                return np.array(values, np.float64).astype(np.float32)
        return np.array(values, DATATYPES[datatype])
    except (OverflowError, FloatingPointError) as problem:
        raise WireError(f"data holds a value out of the range of {datatype}") from problem
    except ValueError as problem:
        raise WireError("data is not a regular array: its rows differ in length") from problem


def _encode_texts(texts: NDArray[np.generic], depth: int) -> NDArray[np.generic]:
    if texts.ndim != depth:  # NumPy makes an array of lists of a ragged one
        raise ValueError
    elements = np.empty(texts.size, object)
    elements[:] = [text.encode() for text in texts.ravel().tolist()]
    return elements.reshape(texts.shape)


def encode_json(array: NDArray[np.generic], datatype: str) -> bytes:
    """The tensor as a flat JSON array.

    Raises:
        WireError: JSON cannot hold it: FP16, BF16, NaN, an infinity, or BYTES that are not UTF-8.
    """
    if datatype in WITHOUT_JSON:
        raise WireError(f"{datatype} has no JSON form; ask for binary output (parameter binary_data)")
    values: list[Any] = array.ravel().tolist()
    if datatype == "BYTES":
        try:
            values = [_to_bytes(value).decode() for value in values]
        except UnicodeDecodeError as problem:
            raise WireError(
                "the tensor holds bytes that are not UTF-8; ask for binary output (binary_data)"
            ) from problem
    encoded = msgspec.json.encode(values)
    # What the encoder writes for NaN and infinities; looking for it takes less than looking at each number before.
    if datatype in {"FP32", "FP64"} and b"null" in encoded:
        raise WireError("the tensor holds NaN or infinity, which JSON cannot; ask for binary output (binary_data)")
    return encoded
