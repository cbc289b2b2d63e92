"""What makes two inference requests equal: the bytes of all that can change the answer."""

from collections.abc import Mapping, Sequence

import msgspec

from modeldyno.records.signature import Signature
from modeldyno.wire.v2_request import InferRequest, Parameter
from modeldyno.wire.v2_tensors import encode_binary

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
        self._heads: dict[tuple[str, tuple[tuple[int, ...], ...]], bytes] = {}

    def ask(self, request: InferRequest, *, tenant: str, max_bytes: int) -> bytes | None:
        """The question, or None when it is larger than `max_bytes`."""
        arrays = request.inputs
        if sum([array.nbytes for array in arrays.values()]) > max_bytes:
            return None
        shapes = tuple([array.shape for array in arrays.values()])
        head = self._heads.get((tenant, shapes))
        if head is None:
            head = self._head(tenant, shapes)
        question = b"".join(
            [
                head,
                _effective(request.parameters) if request.parameters else b"[]",
                *[encode_binary(array, self._datatypes[name]) for name, array in arrays.items()],
            ]
        )
        return question if len(question) <= max_bytes else None

    def _head(self, tenant: str, shapes: tuple[tuple[int, ...], ...]) -> bytes:
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        head = self._heads[tenant, shapes] = self._identity + msgspec.json.encode([tenant, shapes])
        return head


_MOST_HEADS = 256


def _effective(parameters: Mapping[str, Parameter]) -> bytes:
    # JSON tells 1, 1.0, true and "1" apart, and it says itself where it ends.
    return msgspec.json.encode(sorted(item for item in parameters.items() if item[0] not in WITHOUT_EFFECT))
