"""Which remembered answers to keep: bounded by bytes and by age, the least recently used leave first."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from modeldyno.errors import UsageError
from modeldyno.records.deployment import Cache

LARGEST_SHARE = 8
"""An entry may take an eighth of the cache: one large answer must not drive out all the others."""

Key = TypeVar("Key", bound=Hashable)


class Shelf(Generic[Key]):
    """What is kept, without the things themselves: their sizes, their ages and the order of their use.

    Args:
        max_bytes: of all together.
        ttl_ns: how long one may be kept; None: as long as there is room.
    """

    def __init__(self, *, max_bytes: int, ttl_ns: int | None = None) -> None:
        self._max_bytes = max_bytes
        self._ttl_ns = ttl_ns
        # Numbers, and no tuple for each: whatever Python's collector of cycles has to visit costs every request.
        self._sizes: OrderedDict[Key, int] = OrderedDict()
        """In bytes; the least recently used first."""
        self._moments: OrderedDict[Key, int] = OrderedDict()
        """When it was kept, in ns, the oldest first; empty where age does not matter."""
        self.used_bytes = 0
        self.largest_bytes = max_bytes // LARGEST_SHARE
        """What a single entry may take."""

    def __len__(self) -> int:
        return len(self._sizes)

    def use(self, key: Key, now_ns: int) -> bool:
        """Whether it is kept and not too old; it is then the most recently used."""
        if key not in self._sizes or self._is_over(key, now_ns):
            return False
        self._sizes.move_to_end(key)
        return True

    def keep(self, key: Key, size_bytes: int, now_ns: int, *, age_ns: int = 0) -> list[Key] | None:
        """Keep it, in place of what has the same key.

        Args:
            key: of it.
            size_bytes: of it.
            now_ns: the time.
            age_ns: how long it was kept elsewhere before. What is too old by that may stay until room is needed.

        Returns:
            Whom it drives out: those that are too old, and then the least recently used. None when it is too large
            to be kept; then nothing changes.
        """
        if size_bytes > self.largest_bytes:
            return None
        if key in self._sizes:
            self.discard(key)
        out: list[Key] = []
        if self._ttl_ns is not None:
            out = self._take_old(now_ns)
            self._moments[key] = now_ns - age_ns
            if age_ns:
                self._moments.move_to_end(key, last=False)
        self._sizes[key] = size_bytes
        self.used_bytes += size_bytes
        return out if self.used_bytes <= self._max_bytes else [*out, *self._take_unused()]

    def _take_unused(self) -> list[Key]:
        unused: list[Key] = []
        while self.used_bytes > self._max_bytes:
            key, size_bytes = self._sizes.popitem(last=False)
            self._moments.pop(key, None)
            self.used_bytes -= size_bytes
            unused.append(key)
        return unused

    def discard(self, key: Key) -> None:
        """Keep it no longer; without effect when it is not kept."""
        size_bytes = self._sizes.pop(key, None)
        if size_bytes is not None:
            self._moments.pop(key, None)
            self.used_bytes -= size_bytes

    def _take_old(self, now_ns: int) -> list[Key]:
        old: list[Key] = []
        for key in self._moments:
            if not self._is_over(key, now_ns):
                break
            old.append(key)
        for key in old:
            self.discard(key)
        return old

    def _is_over(self, key: Key, now_ns: int) -> bool:
        return self._ttl_ns is not None and now_ns - self._moments[key] >= self._ttl_ns


def check_caching(cache: Cache) -> None:
    """Refuse settings that cannot be meant.

    Raises:
        UsageError: a negative size, an age of 0 or less, or an age where nothing is kept.
    """
    if cache.max_bytes == 0 and cache.ttl_ns is not None:
        raise UsageError(
            "cached answers may be given again for a while, but the cache has no size",
            why="a cache of 0 bytes keeps nothing",
            hint="give it a size: dyno serve BUNDLE --cache 64MB --cache-ttl 10m",
        )
    if cache.max_bytes < 0:
        raise UsageError(
            f"a cache of {cache.max_bytes} bytes", why="0 switches it off", hint="for example max_bytes 64_000_000"
        )
    if cache.ttl_ns is not None and cache.ttl_ns <= 0:
        raise UsageError(
            f"cached answers that live for {cache.ttl_ns} ns",
            why="none would ever be used",
            hint="leave ttl_ns out to keep them as long as there is room, or switch the cache off with max_bytes 0",
        )
