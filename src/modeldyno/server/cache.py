"""Answers that one served model gave before.

What is asked is compared byte by byte, never by a digest alone: that of Triton's response cache has 64 bits and is
trusted (docs/user_guide/response_cache.md of triton-inference-server/server).
"""

from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.policies.caching import Shelf
from modeldyno.records.deployment import Cache

ENTRY_BYTES = 700
"""What Python needs for an entry beside its contents, without its outputs."""
_OUTPUT_BYTES = 250
_ELEMENT_BYTES = 40
"""Of a `bytes` object, beside its content and the 8 bytes in its array."""


class Entry(NamedTuple):
    """An answer that was computed."""

    question: bytes
    outputs: dict[str, NDArray[np.generic]]
    """All of the model's, whatever the request that was computed wanted of them."""
    saved_ns: int
    """What its batch took to compute: what each further use of it saves its client."""


class AnswerCache:
    """Keeps answers by what was asked.

    Args:
        settings: how much, and for how long; checked by `check_caching`.
    """

    def __init__(self, settings: Cache) -> None:
        self._shelf: Shelf[bytes] = Shelf(max_bytes=settings.max_bytes, ttl_ns=settings.ttl_ns)
        self._entries: dict[bytes, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def used_bytes(self) -> int:
        """What the kept answers take."""
        return self._shelf.used_bytes

    @property
    def largest_bytes(self) -> int:
        """What a single question with its answer may take."""
        return self._shelf.largest_bytes

    def find(self, digest: bytes, question: bytes, now_ns: int) -> Entry | None:
        """The answer, if it is kept and not too old."""
        if not self._shelf.use(digest, now_ns):
            return None
        entry = self._entries[digest]
        return entry if entry.question == question else None

    def keep(self, digest: bytes, entry: Entry, now_ns: int) -> None:
        """Keep an answer, in place of what has the same digest, unless it is too large."""
        driven_out = self._shelf.keep(digest, size_of(entry), now_ns)
        if driven_out is None:
            return
        for other in driven_out:
            del self._entries[other]
        self._entries[digest] = entry


def digest_of(question: bytes) -> bytes:
    """Where an answer is kept: BLAKE2b of 128 bits (RFC 7693), which nobody can make collide on purpose."""
    return blake2b(question, digest_size=16).digest()


def size_of(entry: Entry) -> int:
    """Bytes of memory that an entry takes, rounded up."""
    size = ENTRY_BYTES + len(entry.question)
    for array in entry.outputs.values():
        size += _OUTPUT_BYTES + array.nbytes
        if array.dtype.hasobject:
            size += sum(_ELEMENT_BYTES + len(element) for element in array.ravel().tolist())
    return size
