"""What the answer to a request should be, as bytes on their way to the process that receives the answer."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.records.signature import DATATYPES
from modeldyno.wire.v2_tensors import decode_binary, encode_binary

_DATATYPE_OF = {np.dtype(name).name: datatype for datatype, name in DATATYPES.items()}


class _Tensor(msgspec.Struct, frozen=True, array_like=True):
    datatype: str
    shape: tuple[int, ...]
    content: bytes


class Expectation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one answer. What is None or empty is not looked at."""

    outputs: dict[str, _Tensor] | None = None
    document: bytes | None = None
    """JSON."""
    body: bytes | None = None
    """Every byte."""
    statuses: tuple[tuple[int, int], ...] = ()
    """First and last of each range of right ones; instead of 200 to 299."""
    pattern: str = ""
    """A regular expression that must be found in the body."""

    @property
    def has_content(self) -> bool:
        """Whether the body is to be looked at."""
        return bool(self.pattern) or any(part is not None for part in (self.outputs, self.document, self.body))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`outputs` as arrays; texts as `bytes`."""
        tensors = self.outputs or {}
        return {
            name: decode_binary(one.datatype, one.shape, one.content, 0, len(one.content))
            for name, one in tensors.items()
        }


def expect_outputs(outputs: Mapping[str, NDArray[Any]]) -> Expectation:
    """An expectation of these tensors; texts are arrays of `bytes` or `str`."""
    tensors = {}
    for name, array in outputs.items():
        datatype = _DATATYPE_OF["object" if array.dtype.kind in "OSU" else array.dtype.newbyteorder("=").name]
        tensors[name] = _Tensor(datatype, array.shape, encode_binary(array, datatype))
    return Expectation(outputs=tensors)


def encode_expectation(expectation: Expectation) -> bytes:
    """Its bytes."""
    return msgspec.msgpack.encode(expectation)


def decode_expectation(content: bytes) -> Expectation:
    """Back from its bytes."""
    return msgspec.msgpack.decode(content, type=Expectation)
