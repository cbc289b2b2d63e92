"""Which remembered answers to keep: bounded by bytes and by age, the least recently used leave first."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from modeldyno.errors import UsageError
from modeldyno.records.deployment import Cache

LARGEST_SHARE = 8
"""An entry may take an eighth of the cache: one large answer must not drive out all the others."""

Key = TypeVar("Key", bound=Hashable)


class _Kept(NamedTuple):
    size_bytes: int
    kept_ns: int


class Shelf(Generic[Key]):
    """What is kept, without the things themselves: their sizes, their ages and the order of their use.

    Args:
        max_bytes: of all together.
        ttl_ns: how long one may be kept; None: as long as there is room.
    """

    def __init__(self, *, max_bytes: int, ttl_ns: int | None = None) -> None:
        self._max_bytes = max_bytes
        self._ttl_ns = ttl_ns
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        """The least recently used first."""
        self._by_age: OrderedDict[Key, None] = OrderedDict()
        """The oldest first; empty where age does not matter."""
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def largest_bytes(self) -> int:
        """What a single entry may take."""
        return self._max_bytes // LARGEST_SHARE

    def use(self, key: Key, now_ns: int) -> bool:
        """Whether it is kept and not too old; it is then the most recently used."""
        kept = self._kept.get(key)
        if kept is None or self._is_over(kept, now_ns):
            return False
        self._kept.move_to_end(key)
        return True

    def keep(self, key: Key, size_bytes: int, now_ns: int) -> list[Key] | None:
        """Keep it, in place of what has the same key.

        Returns:
            Whom it drives out: those that are too old, and then the least recently used. None when it is too large
            to be kept; then nothing changes.
        """
        if size_bytes > self.largest_bytes:
            return None
        self.discard(key)
        out = self._take_old(now_ns)
        while self.used_bytes + size_bytes > self._max_bytes:
            oldest = next(iter(self._kept))
            self.discard(oldest)
            out.append(oldest)
        self._kept[key] = _Kept(size_bytes, now_ns)
        if self._ttl_ns is not None:
            self._by_age[key] = None
        self.used_bytes += size_bytes
        return out

    def discard(self, key: Key) -> None:
        """Keep it no longer; without effect when it is not kept."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._by_age.pop(key, None)
            self.used_bytes -= kept.size_bytes

    def _take_old(self, now_ns: int) -> list[Key]:
        old: list[Key] = []
        for key in self._by_age:
            if not self._is_over(self._kept[key], now_ns):
                break
            old.append(key)
        for key in old:
            self.discard(key)
        return old

    def _is_over(self, kept: _Kept, now_ns: int) -> bool:
        return self._ttl_ns is not None and now_ns - kept.kept_ns >= self._ttl_ns


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
