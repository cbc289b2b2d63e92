"""Answers of one served model that several servers keep for one another."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Literal, NamedTuple, Protocol, get_args

import msgspec

from modeldyno.clock import Clock
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.caching.answers import Entry
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_tensors import decode_binary, encode_binary

Look = Literal["hit", "miss", "error"]
"""What looking for an answer there ended in; an error, also where nobody could be asked, is for the client a miss."""
LOOKS: tuple[Look, ...] = get_args(Look)
_FORM = b"1"
"""Of what is kept; another one begins anew."""
_MS = 10**6


class Found(NamedTuple):
    """What a store says of a key."""

    content: bytes | None
    """None: it is not there."""
    left_ms: int | None = None
    """Until it is thrown away; None: it is kept as long as there is room."""
    is_error: bool = False
    """It does not say, or did not in time."""


class Store(Protocol):
    """Bytes by key, on another machine. It calls back on the loop's thread, once, and never before it returns."""

    @property
    def namespace(self) -> bytes:
        """What all keys begin with."""
        ...

    def find(self, key: bytes, found: Callable[[Found], None], *, with_age: bool) -> bool:
        """Look for it; the answer comes within a limit. False: it cannot be asked now, and nothing will be called.

        Args:
            key: of it.
            found: is told.
            with_age: whether it matters how long it will be kept.
        """
        ...

    def keep(self, key: bytes, content: bytes, kept: Callable[[bool], None], *, ttl_ms: int | None) -> bool:
        """Keep it for so long; `kept` is told whether it is. False: as for `find`."""
        ...


class SharedCounts(Protocol):
    """Who counts what became of it."""

    def count_look(self, look: Look, ns: int) -> None:
        """An answer was looked for, which took so long."""
        ...

    def count_sharing(self, *, is_kept: bool) -> None:
        """An answer was given to the store."""
        ...


Looked = Callable[[Entry | None, int], None]
"""Told the answer, if there was one, and its age in ns."""


class _Form(msgspec.Struct, array_like=True, frozen=True):
    """Of an answer as it is kept."""

    question: bytes
    saved_ns: int
    outputs: list[tuple[list[int], bytes]]
    """Shape and bytes, in the order of the signature, which the question is bound to by the digest of its model."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Form)


class SharedAnswers:
    """Of one served model.

    What is kept holds the whole question, and counts only where it is the same and the answer fits the signature:
    anything else that lies under the key is a miss.

    Args:
        store: where they are.
        model: its name and version; for whoever looks into the store, as the question holds both.
        signature: of the model.
        ttl_ns: how long an answer may be given again. It is part of the key, so that servers that are set otherwise
            do not give each other answers that are too old.
        clock: of the server.
        counts: of the model.
    """

    def __init__(
        self,
        store: Store,
        model: tuple[str, str],
        signature: Signature,
        *,
        ttl_ns: int | None,
        clock: Clock,
        counts: SharedCounts,
    ) -> None:
        self._store = store
        self._signature = signature
        self._ttl_ms = None if ttl_ns is None else max(1, ttl_ns // _MS)
        self._clock = clock
        self._counts = counts
        name, version = (part.encode() for part in model)
        age = b"" if self._ttl_ms is None else b"%d" % self._ttl_ms
        self._prefix = b":".join([store.namespace, _FORM, name, version, age, b""])

    def look(self, question: bytes, rows: int, looked: Looked) -> bool:
        """Look for the answer to a question with so many rows. False: it cannot be looked for now."""
        began_ns = self._clock.now_ns()

        def hear(found: Found) -> None:
            entry = None if found.content is None else self._decode(found.content, question, rows)
            look: Look = "error" if found.is_error else "miss" if entry is None else "hit"
            self._counts.count_look(look, self._clock.now_ns() - began_ns)
            looked(entry, self._age_ns(found.left_ms))

        if self._store.find(self.key_of(question), hear, with_age=self._ttl_ms is not None):
            return True
        self._counts.count_look("error", 0)
        return False

    def keep(self, question: bytes, entry: Entry) -> None:
        """Give an answer to the store."""
        try:
            content = self._encode(question, entry)
        except TypeError:  # an output that is not what its datatype says; its clients are told
            self._counts.count_sharing(is_kept=False)
            return
        if not self._store.keep(self.key_of(question), content, self._hear_kept, ttl_ms=self._ttl_ms):
            self._counts.count_sharing(is_kept=False)

    def key_of(self, question: bytes) -> bytes:
        """Where an answer is kept: BLAKE2b of 128 bits (RFC 7693), behind what a human may want to find it by."""
        return self._prefix + blake2b(question, digest_size=16).hexdigest().encode()

    def _hear_kept(self, is_kept: bool) -> None:  # noqa: FBT001 - a callback's only argument
        self._counts.count_sharing(is_kept=is_kept)

    def _age_ns(self, left_ms: int | None) -> int:
        if self._ttl_ms is None or left_ms is None:
            return 0
        return max(0, self._ttl_ms - left_ms) * _MS

    def _encode(self, question: bytes, entry: Entry) -> bytes:
        outputs = [
            (list(entry.outputs[spec.name].shape), encode_binary(entry.outputs[spec.name], spec.datatype))
            for spec in self._signature.outputs
        ]
        return _ENCODER.encode(_Form(question, entry.saved_ns, outputs))

    def _decode(self, content: bytes, question: bytes, rows: int) -> Entry | None:
        """The answer, unless this is something else."""
        try:
            form = _DECODER.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MemoryError):
            return None
        specs = self._signature.outputs
        if form.question != question or len(form.outputs) != len(specs) or form.saved_ns < 0:
            return None
        first = rows if self._signature.has_batch_dimension else None
        if not all(_fits(spec, shape, first) for spec, (shape, _) in zip(specs, form.outputs, strict=True)):
            return None
        try:
            outputs = {
                spec.name: decode_binary(spec.datatype, shape, data, 0, len(data))
                for spec, (shape, data) in zip(specs, form.outputs, strict=True)
            }
        except (WireError, MemoryError):
            return None
        return Entry(outputs, form.saved_ns)


def _fits(spec: TensorSpec, shape: list[int], rows: int | None) -> bool:
    if len(shape) != len(spec.shape) or any(size < 0 for size in shape):
        return False
    if rows is not None and shape[:1] != [rows]:
        return False
    return all(size == known for size, known in zip(shape, spec.shape, strict=True) if isinstance(known, int))
