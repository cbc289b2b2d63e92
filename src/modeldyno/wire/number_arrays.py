"""Arrays of numbers in JSON: cut out of the document around them, and read without an object a number.

What was measured and rejected is in docs/decisions/0006-open-inference-protocol.md.
"""

import math
import re
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import msgspec
import numpy as np
import simdjson
from numpy.typing import NDArray

_KEY = b'"data"'
_OPENING = re.compile(rb'"data"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
_MOST_ARRAYS = 1000
"""In one document; more are left to the parser of documents, so that they take no memory here."""
_BEHIND = b" \t\r\n,"
_NO_STRUCTURE = b"0123456789+-.eE \t\r\n"
_WIDE: dict[str, Literal["d", "i", "u"]] = {
    "FP32": "d", "FP64": "d", "UINT64": "u",
    "INT8": "i", "INT16": "i", "INT32": "i", "INT64": "i", "UINT8": "i", "UINT16": "i", "UINT32": "i",
}  # fmt: skip
"""Datatypes of numbers with a form in JSON, and what the parser reads them as: float64, int64 or uint64."""
_FEW = 64
"""So many numbers are read in less time as objects than in an array of a parser that has to be set up for them."""
_FLOATS = msgspec.json.Decoder(list[float])
_DTYPES: dict[str, np.dtype[Any]] = {"d": np.dtype(np.float64), "i": np.dtype(np.int64), "u": np.dtype(np.uint64)}


def cut_arrays(document: bytes) -> tuple[bytes, list[bytes]]:
    """A JSON document without the arrays that are called `data`, and those arrays.

    What is left has the mark `[0]`, `[1]`, ... where an array was. A client repeats it with every request, so that what
    it says can be remembered; and the arrays, nearly all of the bytes, are not scanned by a parser of documents first.

    An array of anything but numbers (and truths) is not cut, or the rest is no JSON any more: strings and objects are
    what its end is known by. A quote behind a backslash begins no name.
    """
    place = document.find(_KEY)
    if place < 0:
        return document, []
    arrays: list[bytes] = []
    rest: list[bytes] = []
    done = 0
    while place >= 0 and len(arrays) < _MOST_ARRAYS:
        match = _OPENING.match(document, place)
        if match is None or document[place - 1 : place] == b"\\":
            place = document.find(_KEY, place + len(_KEY))
            continue
        begin = match.end()
        quote = document.find(b'"', begin)
        end = document.find(b"}", begin) if quote < 0 else document.find(b"}", begin, quote)
        array = document[begin : end if end >= 0 else quote if quote >= 0 else len(document)].rstrip(_BEHIND)
        if array.endswith(b"]"):
            rest += (document[done:begin], b"[%d]" % len(arrays))
            arrays.append(array)
            done = begin + len(array)
        place = -1 if quote < 0 else document.find(_KEY, quote)
    rest.append(document[done:])
    return b"".join(rest), arrays


def read_numbers(datatype: str, shape: Sequence[int], data: bytes) -> NDArray[np.generic] | None:
    """The tensor in the JSON array `data`, nested by `shape` or flat in row-major order.

    Returns:
        None when it is not that, or is for a slower reader with more patience and better words.
    """
    wide = _WIDE.get(datatype)
    if wide is None:
        return None
    if datatype == "FP32" and (size := math.prod(shape)) <= _FEW and data.find(b"[", 1) < 0:
        return _read_few(shape, size, data)
    try:
        # A parser for each array: one that is kept would keep the memory of the largest array it ever read.
        array = simdjson.Parser().parse(data)
        if not isinstance(array, simdjson.Array):
            return None
        numbers = np.frombuffer(array.as_buffer(of_type=wide), _DTYPES[wide])
    except (ValueError, TypeError, RuntimeError):
        return None
    if numbers.size != math.prod(shape) or not _is_nested(data, shape):
        return None
    tensor = _narrow(numbers, datatype)
    return None if tensor is None else tensor.reshape(shape)


def _read_few(shape: Sequence[int], size: int, data: bytes) -> NDArray[np.generic] | None:
    try:
        # Packing refuses what is out of the range of float32, and another number of numbers.
        packed = _packing(size).pack(*_FLOATS.decode(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError, struct.error):
        return None
    return np.ndarray(shape, np.float32, packed)


@cache
def _packing(size: int) -> struct.Struct:
    # As many as there are sizes up to `_FEW`. Without the sign, overflows would pass as infinities.
    return struct.Struct(f"={size}f")


def _narrow(numbers: NDArray[np.generic], datatype: str) -> NDArray[np.generic] | None:
    if datatype in {"FP64", "INT64", "UINT64"}:
        return numbers
    if datatype == "FP32":
        try:
            with np.errstate(over="raise"):
                return numbers.astype(np.float32)
        except FloatingPointError:
            return None
    narrow = numbers.astype(datatype.lower())
    return narrow if bool((narrow == numbers).all()) else None


def _is_nested(data: bytes, shape: Sequence[int]) -> bool:
    """Whether the brackets are those of a flat array, or of rows in rows as the shape says.

    The parser reads rows of unlike lengths, and numbers beside rows, as if they were flat.
    """
    if data.find(b"[", 1) < 0:
        return True
    if 0 in shape:
        return False
    # There are as many numbers as the shape says, so what it looks like is not much longer than the data.
    structure = b"," * (shape[-1] - 1)
    for size in reversed(shape[:-1]):
        structure = b",".join([b"[" + structure + b"]"] * size)
    return data.translate(None, _NO_STRUCTURE) == b"[" + structure + b"]"
