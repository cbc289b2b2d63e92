"""What the JSON part of an inference request says, checked against a model's signature.

Source: the protocol's `inference_rest.md`, and `extension_binary_data.md` for binary tensors and raw requests.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.json_depth import check_depth
from modeldyno.wire.v2_parameters import Parameter, whole
from modeldyno.wire.v2_tensors import LITTLE_ENDIAN
from modeldyno.wire.v2_wishes import AskedOutput, OutputWish, WishReader, quoted


class _WireInput(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Parameter] = {}
    data: msgspec.Raw = msgspec.Raw()


class _WireRequest(msgspec.Struct, frozen=True):
    inputs: list[_WireInput]
    outputs: list[AskedOutput] = []
    id: str | None = None
    parameters: dict[str, Parameter] = {}


class Piece(NamedTuple):
    """Where one input is: `size` bytes at `start` behind the header, or JSON `data`."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    start: int
    size: int
    data: bytes | int | None
    """The number of one of the arrays that were cut out of the JSON."""


class Layout(NamedTuple):
    """All that the JSON part of a request says."""

    pieces: tuple[Piece, ...]
    binary_bytes: int
    rows: int
    elements: int
    batch_key: tuple[tuple[int, ...], ...]
    wishes: tuple[OutputWish, ...]
    id: str | None
    priority: int = 0
    timeout_us: int | None = None
    parameters: Mapping[str, Parameter] = {}


class LayoutReader:
    """Reads requests for one model."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._inputs = {spec.name: spec for spec in signature.inputs}
        self._outputs = [spec.name for spec in signature.outputs]
        self._wishes = WishReader(signature)
        self._json = msgspec.json.Decoder(_WireRequest)

    def read(self, header: bytes, arrays: int) -> Layout:
        """What the JSON part of a request says.

        Args:
            header: the JSON, with marks where arrays of numbers were cut out.
            arrays: how many were.

        Raises:
            WireError: it is no request, or does not fit the signature.
        """
        try:
            request = self._json.decode(header)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
            raise WireError(f"not a valid inference request: {problem}") from problem
        check_depth(header)
        given = self._by_name(request)
        pieces, end = [], 0
        for tensor in request.inputs:
            piece = _piece(tensor, end)
            pieces.append(piece)
            end += piece.size
        pieces = _place_arrays(pieces, arrays)
        rows, key = self._measure({piece.name: piece.shape for piece in pieces})
        pieces.sort(key=lambda piece: list(self._inputs).index(piece.name))
        return Layout(
            pieces=tuple(pieces),
            binary_bytes=end,
            rows=rows,
            elements=sum(math.prod(tensor.shape) for tensor in given.values()),
            batch_key=key,
            wishes=self._wishes.read(request.outputs, request.parameters),
            id=request.id,
            parameters=request.parameters,
            timeout_us=whole(request.parameters, "timeout") or None,
            priority=whole(request.parameters, "priority"),
        )

    def read_raw(self, size: int) -> Layout:
        """A raw request: the body is the only input's data, a batch of one, at most one other varying dimension.

        Args:
            size: of the body, in bytes.

        Raises:
            WireError: the model takes no raw requests, or none of this size.
        """
        if len(self._inputs) != 1:
            raise WireError(f"a raw request needs a model with one input; this one takes {quoted(self._inputs)}")
        spec = self._signature.inputs[0]
        shape: list[int] = [known if isinstance(known, int) else -1 for known in spec.shape]
        if self._signature.has_batch_dimension:
            shape[0] = 1
        if shape.count(-1) > 1:
            raise WireError(f"a raw request needs at most one varying dimension; the shape is {list(spec.shape)}")
        if spec.datatype == "BYTES":
            # Element lengths are not known before they are read; the extension allows a single element only.
            shape = [1 if known == -1 else known for known in shape]
            if math.prod(shape) != 1:
                raise WireError(f"a raw request of BYTES holds one element; the shape is {list(spec.shape)}")
        elif -1 in shape:
            row = math.prod(known for known in shape if known != -1) * LITTLE_ENDIAN[spec.datatype].itemsize
            if row == 0 or size % row or size == 0:
                raise WireError(f"the raw body has {size} bytes, which is no multiple of the {row} of one row")
            shape[shape.index(-1)] = size // row
        rows, key = self._measure({spec.name: tuple(shape)})
        piece = Piece(spec.name, spec.datatype, tuple(shape), 0, size, None)
        wishes = tuple(OutputWish(name, binary=True) for name in self._outputs)
        return Layout((piece,), size, rows, math.prod(shape), key, wishes, None)

    def _by_name(self, request: _WireRequest) -> dict[str, _WireInput]:
        given: dict[str, _WireInput] = {}
        for tensor in request.inputs:
            spec = self._inputs.get(tensor.name)
            if spec is None:
                raise WireError(f"unknown input {tensor.name!r}; the model takes {quoted(self._inputs)}")
            if tensor.name in given:
                raise WireError(f"input {tensor.name!r} is given twice")
            if tensor.datatype != spec.datatype:
                known = "" if tensor.datatype in DATATYPES else ", which is no datatype of the protocol"
                raise WireError(f"input {tensor.name!r} is {spec.datatype}, not {tensor.datatype!r}{known}")
            given[tensor.name] = tensor
        missing = [name for name in self._inputs if name not in given]
        if missing:
            raise WireError(f"input {quoted(missing)} is missing")
        return given

    def _measure(self, shapes: dict[str, tuple[int, ...]]) -> tuple[int, tuple[tuple[int, ...], ...]]:
        """Rows and batch key, once every shape fits the signature and the others."""
        sizes: dict[str, tuple[int, str]] = {}
        for name, spec in self._inputs.items():
            for dimension, size in _varying(spec, shapes[name]):
                known, where = sizes.setdefault(dimension, (size, name))
                if known != size:
                    raise WireError(
                        f"inputs {where!r} and {name!r} differ in dimension {dimension!r}: {known} and {size}"
                    )
        if not self._signature.has_batch_dimension:
            return 1, tuple(shapes[name] for name in self._inputs)
        return shapes[next(iter(self._inputs))][0], tuple(shapes[name][1:] for name in self._inputs)


def _piece(tensor: _WireInput, start: int) -> Piece:
    if "shared_memory_region" in tensor.parameters:
        raise WireError(f"input {tensor.name!r}: shared memory is not offered; send data")
    size = tensor.parameters.get("binary_data_size")
    data = bytes(tensor.data)
    if size is None:
        if not data:
            raise WireError(f"input {tensor.name!r} has neither data nor a parameter binary_data_size")
        return Piece(tensor.name, tensor.datatype, tuple(tensor.shape), start, 0, data)
    if data:
        raise WireError(f"input {tensor.name!r} has both data and a parameter binary_data_size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise WireError(f"input {tensor.name!r}: binary_data_size {size!r} is not a number of bytes")
    return Piece(tensor.name, tensor.datatype, tuple(tensor.shape), start, size, None)


def _place_arrays(pieces: list[Piece], arrays: int) -> list[Piece]:
    """The pieces with the numbers of their arrays in place of the marks that `cut_arrays` left."""
    number = 0
    placed = []
    for piece in pieces:
        if piece.data == b"[%d]" % number and number < arrays:
            placed.append(piece._replace(data=number))
            number += 1
        else:
            placed.append(piece)
    if number != arrays:
        raise WireError("data is given twice in one input, or outside of the inputs")
    return placed


def _varying(spec: TensorSpec, shape: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Name and size of each varying dimension, once the fixed ones fit."""
    shown = f"input {spec.name!r} has shape {list(shape)}; the model takes {list(spec.shape)}"
    if len(shape) != len(spec.shape):
        raise WireError(shown)
    for known, size in zip(spec.shape, shape, strict=True):
        if isinstance(known, int):
            if size != known:
                raise WireError(shown)
        elif size < 1:
            raise WireError(f"{shown}, with at least 1 for {known!r}")
        else:
            yield known, size
