"""Inference requests of the Open Inference Protocol v2 (HTTP), checked against a model's signature.

Sources: the protocol's `inference_rest.md`, and `extension_binary_data.md` for binary tensors and raw requests.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.records.signature import DATATYPES, WITHOUT_JSON, Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.number_arrays import cut_arrays
from modeldyno.wire.v2_classification import can_classify
from modeldyno.wire.v2_tensors import LITTLE_ENDIAN, Buffer, decode_binary, decode_json

Parameter = str | int | float | bool | None
_KNOWN_LAYOUTS = 256
_KNOWN_HEADER_BYTES = 4096
_MOST_LEVELS = 100
"""Of nesting in a document, as in Triton (src/http_server.cc)."""
_LEADING_ID = re.compile(rb'\{[ \t\r\n]*"id"[ \t\r\n]*:[ \t\r\n]*"([ !#-\[\]-~]*)"[ \t\r\n]*,')
"""An `id` of plain ASCII without escapes, which is the first member and has another one after it."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
"""A string of valid JSON; on anything else it could take time that grows with the square of the length."""


class OutputWish(NamedTuple):
    """One output the client wants, and in which form."""

    name: str
    binary: bool
    classes: int = 0
    """Above 0: not the output, but so many of its highest values (Triton's extension `classification`)."""


class InferRequest(msgspec.Struct, frozen=True):
    """One inference request that fits the model."""

    inputs: dict[str, NDArray[np.generic]]
    """In signature order, each with the dtype of its datatype."""
    rows: int
    """Size of the batch dimension; 1 for a model without one."""
    elements: int
    """Elements of all inputs together: a measure of the work."""
    batch_key: tuple[tuple[int, ...], ...]
    """The inputs' shapes without the batch dimension; only requests of one key can be merged."""
    wishes: tuple[OutputWish, ...]
    id: str | None
    priority: int = 0
    """1 is the highest, 0 none is asked for (Triton's schedule policy extension)."""
    timeout_us: int | None = None
    """From the first byte to the answer; from the parameter `timeout` of the same extension, where 0 is none."""
    parameters: Mapping[str, Parameter] = {}
    """Of the request as a whole, those that are not known here too."""


class _WireInput(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Parameter] = {}
    data: msgspec.Raw = msgspec.Raw()


class _WireOutput(msgspec.Struct, frozen=True):
    name: str
    parameters: dict[str, Parameter] = {}


class _WireRequest(msgspec.Struct, frozen=True):
    inputs: list[_WireInput]
    outputs: list[_WireOutput] = []
    id: str | None = None
    parameters: dict[str, Parameter] = {}


class _Piece(NamedTuple):
    """Where one input is: `size` bytes at `start` behind the header, or JSON `data`."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    start: int
    size: int
    data: bytes | int | None
    """The number of one of the arrays that were cut out of the JSON."""


class _Layout(NamedTuple):
    """All that the JSON part of a request says."""

    pieces: tuple[_Piece, ...]
    binary_bytes: int
    rows: int
    elements: int
    batch_key: tuple[tuple[int, ...], ...]
    wishes: tuple[OutputWish, ...]
    id: str | None
    priority: int = 0
    timeout_us: int | None = None
    parameters: Mapping[str, Parameter] = {}


class InferRequestDecoder:
    """Decodes the requests for one model.

    Clients repeat the JSON of a request to the byte, but for the id and the numbers, so what was found in it is
    remembered (a bounded number of them). An id is seen apart when the JSON begins with it, as tritonclient's does.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._inputs = {spec.name: spec for spec in signature.inputs}
        self._outputs = {spec.name: spec for spec in signature.outputs}
        self._json = msgspec.json.Decoder(_WireRequest)
        self._known: dict[bytes, _Layout] = {}
        """Without the id, and with marks in place of the numbers."""
        self._known_whole: dict[bytes, _Layout] = {}
        """To the byte: of JSON that has neither."""

    def decode(self, body: Buffer, header_length: int | None = None) -> InferRequest:
        """The request in `body`.

        Args:
            body: JSON, followed by binary tensors when `header_length` says so.
            header_length: the header `Inference-Header-Content-Length`; 0 is a raw request, None is JSON alone.

        Raises:
            WireError: anything that the protocol or the signature does not allow.
        """
        arrays: list[bytes] = []
        request_id: str | None = None
        if header_length == 0:
            layout, offset = self._raw_layout(len(body)), 0
        else:
            offset = len(body) if header_length is None else header_length
            if offset > len(body):
                raise WireError(
                    f"Inference-Header-Content-Length is {header_length}, but the body has {len(body)} bytes"
                )
            header = bytes(body if header_length is None else body[:offset])
            known = None if header_length is None else self._known_whole.get(header)
            if known is not None:
                layout = known
            else:
                rest, arrays = cut_arrays(header)
                layout, request_id = self._recall(rest, len(arrays))
        if offset + layout.binary_bytes != len(body):
            raise WireError(
                f"the inputs' binary_data_size sum to {layout.binary_bytes} bytes, "
                f"but {len(body) - offset} follow the JSON part"
            )
        inputs = {
            name: decode_binary(datatype, shape, body, offset + start, size)
            if data is None
            else decode_json(datatype, shape, arrays[data] if isinstance(data, int) else data)
            for name, datatype, shape, start, size, data in layout.pieces
        }
        return InferRequest(
            inputs,
            layout.rows,
            layout.elements,
            layout.batch_key,
            layout.wishes,
            request_id,
            layout.priority,
            layout.timeout_us,
            layout.parameters,
        )

    def _recall(self, header: bytes, arrays: int) -> tuple[_Layout, str | None]:
        """What the JSON says, and its id."""
        if len(header) > _KNOWN_HEADER_BYTES:
            layout = self._read(header, arrays)
            return layout, layout.id
        match = _LEADING_ID.match(header)
        if match is not None:
            header = b"{" + header[match.end() :]
        layout_known = self._known.get(header)
        if layout_known is None:
            layout = self._read(header, arrays)
            if layout.id is None and not any(isinstance(piece.data, bytes) for piece in layout.pieces):
                if len(self._known) >= _KNOWN_LAYOUTS:
                    self._known.clear()
                    self._known_whole.clear()
                self._known[header] = layout
                if match is None and not arrays:
                    self._known_whole[header] = layout
        else:
            layout = layout_known
        # Of two ids in one object the last one counts, as everywhere in this decoder.
        return layout, layout.id if match is None or layout.id is not None else match[1].decode()

    def _read(self, header: bytes, arrays: int) -> _Layout:
        try:
            request = self._json.decode(header)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
            raise WireError(f"not a valid inference request: {problem}") from problem
        _check_depth(header)
        given = self._by_name(request)
        pieces, end = [], 0
        for tensor in request.inputs:
            piece = _piece(tensor, end)
            pieces.append(piece)
            end += piece.size
        pieces = _place_arrays(pieces, arrays)
        rows, key = self._measure({piece.name: piece.shape for piece in pieces})
        pieces.sort(key=lambda piece: list(self._inputs).index(piece.name))
        return _Layout(
            pieces=tuple(pieces),
            binary_bytes=end,
            rows=rows,
            elements=sum(math.prod(tensor.shape) for tensor in given.values()),
            batch_key=key,
            wishes=self._wishes(request),
            id=request.id,
            parameters=request.parameters,
            timeout_us=_whole(request.parameters, "timeout") or None,
            priority=_whole(request.parameters, "priority"),
        )

    def _by_name(self, request: _WireRequest) -> dict[str, _WireInput]:
        given: dict[str, _WireInput] = {}
        for tensor in request.inputs:
            spec = self._inputs.get(tensor.name)
            if spec is None:
                raise WireError(f"unknown input {tensor.name!r}; the model takes {_names(self._inputs)}")
            if tensor.name in given:
                raise WireError(f"input {tensor.name!r} is given twice")
            if tensor.datatype != spec.datatype:
                known = "" if tensor.datatype in DATATYPES else ", which is no datatype of the protocol"
                raise WireError(f"input {tensor.name!r} is {spec.datatype}, not {tensor.datatype!r}{known}")
            given[tensor.name] = tensor
        missing = [name for name in self._inputs if name not in given]
        if missing:
            raise WireError(f"input {_names(missing)} is missing")
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

    def _wishes(self, request: _WireRequest) -> tuple[OutputWish, ...]:
        default = _flag(request.parameters, "binary_data_output")
        if not request.outputs:
            wishes = [OutputWish(name, default) for name in self._outputs]
        else:
            wishes = [self._wish(output, binary=default) for output in request.outputs]
        names = [wish.name for wish in wishes]
        for name in names:
            if names.count(name) > 1:
                raise WireError(f"output {name!r} is asked for twice")
        for wish in wishes:
            datatype = self._outputs[wish.name].datatype
            if datatype in WITHOUT_JSON and not (wish.binary or wish.classes):
                raise WireError(f"output {wish.name!r} is {datatype}, which has no JSON form; ask for binary_data")
        return tuple(wishes)

    def _wish(self, output: _WireOutput, *, binary: bool) -> OutputWish:
        if output.name not in self._outputs:
            raise WireError(f"unknown output {output.name!r}; the model gives {_names(self._outputs)}")
        if "shared_memory_region" in output.parameters:
            raise WireError(f"output {output.name!r}: shared memory is not offered; the answer holds the data")
        binary = _flag(output.parameters, "binary_data", default=binary)
        classes = output.parameters.get("classification")
        if classes is None:
            return OutputWish(output.name, binary)
        if not isinstance(classes, int) or isinstance(classes, bool) or classes < 1:
            raise WireError(f"output {output.name!r}: classification {classes!r} is not a number of classes")
        datatype = self._outputs[output.name].datatype
        if not can_classify(datatype):
            raise WireError(f"output {output.name!r} is {datatype}, which has no classes")
        return OutputWish(output.name, binary, classes)

    def _raw_layout(self, size: int) -> _Layout:
        """A raw request: the body is the only input's data, a batch of one, at most one other varying dimension."""
        if len(self._inputs) != 1:
            raise WireError(f"a raw request needs a model with one input; this one takes {_names(self._inputs)}")
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
        piece = _Piece(spec.name, spec.datatype, tuple(shape), 0, size, None)
        wishes = tuple(OutputWish(name, binary=True) for name in self._outputs)
        return _Layout((piece,), size, rows, math.prod(shape), key, wishes, None)


def _piece(tensor: _WireInput, start: int) -> _Piece:
    if "shared_memory_region" in tensor.parameters:
        raise WireError(f"input {tensor.name!r}: shared memory is not offered; send data")
    size = tensor.parameters.get("binary_data_size")
    data = bytes(tensor.data)
    if size is None:
        if not data:
            raise WireError(f"input {tensor.name!r} has neither data nor a parameter binary_data_size")
        return _Piece(tensor.name, tensor.datatype, tuple(tensor.shape), start, 0, data)
    if data:
        raise WireError(f"input {tensor.name!r} has both data and a parameter binary_data_size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise WireError(f"input {tensor.name!r}: binary_data_size {size!r} is not a number of bytes")
    return _Piece(tensor.name, tensor.datatype, tuple(tensor.shape), start, size, None)


def _place_arrays(pieces: list[_Piece], arrays: int) -> list[_Piece]:
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


def _check_depth(header: bytes) -> None:
    """Valid JSON must not be nested too deep; the parser's own limit is that of the interpreter's stack."""
    if header.count(b"[") + header.count(b"{") <= _MOST_LEVELS:
        return
    depth = 0
    for sign in _TEXT.sub(b"", header):
        if sign in b"[{":
            depth += 1
            if depth > _MOST_LEVELS:
                raise WireError(f"the JSON is nested more than {_MOST_LEVELS} levels deep")
        elif sign in b"]}":
            depth -= 1


def _whole(parameters: dict[str, Parameter], name: str) -> int:
    value = parameters.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WireError(f"the parameter {name} is a whole number from 0 on, not {value!r}")
    return value


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


def _flag(parameters: dict[str, Parameter], name: str, *, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise WireError(f"the parameter {name} is true or false, not {value!r}")
    return value


def _names(names: dict[str, TensorSpec] | list[str]) -> str:
    return ", ".join(repr(name) for name in names)
