"""Answers that one served model gave before.

What is asked is compared byte by byte, never by a digest alone: that of Triton's response cache has 64 bits and is
trusted (docs/user_guide/response_cache.md of triton-inference-server/server).
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.policies.caching import Shelf
from modeldyno.records.deployment import Cache

ENTRY_BYTES = 700
"""What Python needs for an entry beside its contents, without its outputs."""
_OUTPUT_BYTES = 250
_ELEMENT_BYTES = 40
"""Of a `bytes` object, beside its content and the 8 bytes in its array."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An answer that was computed.

    Tens of thousands of them are kept for long, and none refers to itself: Python's collector of cycles does not see
    them, for a walk through all would keep a request waiting for ms.
    """

    outputs: dict[str, NDArray[np.generic]]
    """All of the model's, whatever the request that was computed wanted of them."""
    saved_ns: int
    """What its batch took to compute: what each further use of it saves its client."""


class AnswerCache:
    """Keeps answers by what was asked.

    The key is the whole question: a dictionary of Python compares it when the hash, which no client can foresee, is
    that of another one.

    Args:
        settings: how much, and for how long; checked by `check_caching`.
    """

    def __init__(self, settings: Cache) -> None:
        self._shelf: Shelf[bytes] = Shelf(max_bytes=settings.max_bytes, ttl_ns=settings.ttl_ns)
        self._entries: dict[bytes, Entry] = {}
        self.largest_bytes = self._shelf.largest_bytes
        """What a single question with its answer may take."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def used_bytes(self) -> int:
        """What the kept answers take."""
        return self._shelf.used_bytes

    def find(self, question: bytes, now_ns: int) -> Entry | None:
        """The answer, if it is kept and not too old."""
        entry = self._entries.get(question)
        return entry if entry is not None and self._shelf.use(question, now_ns) else None

    def keep(self, question: bytes, entry: Entry, now_ns: int, *, age_ns: int = 0) -> bool:
        """Keep an answer that was kept elsewhere for `age_ns`; False: it is too large."""
        driven_out = self._shelf.keep(question, size_of(question, entry), now_ns, age_ns=age_ns)
        if driven_out is None:
            return False
        for other in driven_out:
            del self._entries[other]
        self._entries[question] = entry
        return True


def size_of(question: bytes, entry: Entry) -> int:
    """Bytes of memory that an entry takes, rounded up."""
    size = ENTRY_BYTES + len(question)
    for array in entry.outputs.values():
        size += _OUTPUT_BYTES + array.nbytes
        if array.dtype.hasobject:
            size += sum(_ELEMENT_BYTES + len(element) for element in array.ravel().tolist())
    return size
