"""Inference responses of the Open Inference Protocol v2 (HTTP), as a server writes them."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from modeldyno.protocols import Tensors
from modeldyno.records.signature import Signature
from modeldyno.wire.v2_classification import top_classes
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_tensors import encode_binary, encode_json
from modeldyno.wire.v2_wishes import OutputWish

_KNOWN_HEADERS = 256


class InferBody(NamedTuple):
    """The body of a request or a response."""

    body: bytes
    header_length: int | None
    """Bytes of JSON before the binary tensors, for `Inference-Header-Content-Length`; None when all is JSON."""


class InferResponseEncoder:
    """Encodes the answers of one model; what the JSON part says of binary tensors of the same shape is remembered.

    Args:
        name: of the model.
        version: of the model.
        signature: of the model.
        labels: of its classes in the order of the scores, for those who ask for classes; empty when there are none.
    """

    def __init__(self, name: str, version: str, signature: Signature, labels: Sequence[str] = ()) -> None:
        self._prefix = b'{"model_name":%b,"model_version":%b' % (
            msgspec.json.encode(name),
            msgspec.json.encode(version),
        )
        self._datatypes = {spec.name: spec.datatype for spec in signature.outputs}
        self._labels = [label.encode() for label in labels]
        self._is_batched = signature.has_batch_dimension
        self._known: dict[tuple[object, ...], bytes] = {}
        self._starts: dict[tuple[OutputWish, tuple[int, ...]], bytes] = {}

    def encode(self, request: InferRequest, outputs: Tensors) -> InferBody:
        """The answer to `request`: the outputs it wished for, in its order and form.

        Raises:
            WireError: an output cannot be put in JSON.
        """
        wishes, datatypes = request.wishes, self._datatypes
        shapes, contents, tensors = [], [], []
        for name, binary, classes in wishes:
            array, datatype = outputs[name], datatypes[name]
            if classes:
                array = top_classes(array, classes, is_batched=self._is_batched, labels=self._labels)
                datatype = "BYTES"
            shapes.append(array.shape)
            content = encode_binary(array, datatype) if binary else encode_json(array, datatype)
            contents.append(content)
            if binary:
                tensors.append(content)
        described = self._prefix
        if request.id is not None:
            described = b'%b,"id":%b' % (described, msgspec.json.encode(request.id))
        if not tensors:
            return InferBody(described + self._described(wishes, shapes, contents), None)
        if len(tensors) == len(contents):
            described += self._recall(wishes, shapes, contents)
        else:
            described += self._described(wishes, shapes, contents)
        return InferBody(b"".join((described, *tensors)), len(described))

    def _recall(self, wishes: tuple[OutputWish, ...], shapes: list[tuple[int, ...]], contents: list[bytes]) -> bytes:
        """What is said of tensors that are all binary, which is the same as long as their shapes and sizes are."""
        key = (wishes, *shapes, *map(len, contents))
        described = self._known.get(key)
        if described is None:
            described = self._described(wishes, shapes, contents)
            if len(self._known) >= _KNOWN_HEADERS:
                self._known.clear()
            self._known[key] = described
        return described

    def _described(
        self,
        wishes: tuple[OutputWish, ...],
        shapes: list[tuple[int, ...]],
        contents: list[bytes],
    ) -> bytes:
        tensors = []
        for wish, shape, content in zip(wishes, shapes, contents, strict=True):
            form = b'%b"parameters":{"binary_data_size":%d}}' if wish.binary else b'%b"data":%b}'
            tensors.append(form % (self._start(wish, shape), len(content) if wish.binary else content))
        return b',"outputs":[%b]}' % b",".join(tensors)

    def _start(self, wish: OutputWish, shape: tuple[int, ...]) -> bytes:
        """What is said of a tensor before its data."""
        start = self._starts.get((wish, shape))
        if start is None:
            datatype = "BYTES" if wish.classes else self._datatypes[wish.name]
            start = msgspec.json.encode({"name": wish.name, "datatype": datatype, "shape": shape})[:-1] + b","
            if len(self._starts) >= _KNOWN_HEADERS:
                self._starts.clear()
            self._starts[wish, shape] = start
        return start
