"""What makes two inference requests equal: the bytes of all that can change the answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modeldyno.records.signature import Signature
from modeldyno.wire.v2_parameters import Parameter
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_tensors import LITTLE_ENDIAN, encode_binary

WITHOUT_EFFECT = frozenset({"binary_data_output", "priority", "timeout"})
"""Parameters of a request that say when and in which form it is answered, not what; every other one may."""


class Questions:
    """Of one served model.

    Equal are requests of one tenant with the same parameters and, by name, datatype and shape, the same bytes:
    whatever their id, whether they came as JSON or binary, in which order, and which outputs they want. 0 and -0
    differ, and so do two NaNs of unlike bits, because a model can tell them apart.

    Args:
        identity: of the model: name, version and the digest of its file. MLServer's key has none of it, so that two
            models share answers (mlserver/cache of SeldonIO/MLServer).
        signature: the inputs in order.
    """

    def __init__(self, identity: Sequence[str], signature: Signature) -> None:
        self._identity = msgspec.json.encode([*identity, [[spec.name, spec.datatype] for spec in signature.inputs]])
        self._datatypes = {spec.name: spec.datatype for spec in signature.inputs}
        # What precedes the tensors is the same for most requests: the tenants and shapes of one model are few.
        self._heads: dict[tuple[str, int, tuple[tuple[int, ...], ...]], bytes] = {}

    def ask(self, request: InferRequest, *, tenant: str, max_bytes: int) -> bytes | None:
        """The question, or None when it is larger than `max_bytes`."""
        # Rows and batch key are all that the shapes hold, and are there already.
        head = self._heads.get((tenant, request.rows, request.batch_key))
        if head is None:
            head = self._head(tenant, request)
        parameters = request.parameters
        parts: list[Any] = [head, b"[]" if parameters.keys() <= WITHOUT_EFFECT else _effective(parameters)]
        size = 0
        for name, array in request.inputs.items():
            size += array.nbytes
            datatype = self._datatypes[name]
            if array.dtype == LITTLE_ENDIAN[datatype] and datatype != "BYTES" and array.flags.c_contiguous:
                parts.append(array)  # it lends its memory, which is copied once, below
            elif size <= max_bytes:
                parts.append(encode_binary(array, datatype))
        if size > max_bytes:
            return None
        question = b"".join(parts)
        return question if len(question) <= max_bytes else None

    def _head(self, tenant: str, request: InferRequest) -> bytes:
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        shapes = [array.shape for array in request.inputs.values()]
        head = self._identity + msgspec.json.encode([tenant, shapes])
        self._heads[tenant, request.rows, request.batch_key] = head
        return head


_MOST_HEADS = 256


def _effective(parameters: Mapping[str, Parameter]) -> bytes:
    # JSON tells 1, 1.0, true and "1" apart, and it says itself where it ends.
    return msgspec.json.encode(sorted(item for item in parameters.items() if item[0] not in WITHOUT_EFFECT))
