"""A store of answers that says what it holds only when it is told to."""

from collections import deque
from collections.abc import Callable

from modeldyno.server.caching.shared import Found

_Waiting = tuple[bytes, Callable[[Found], None]]


class ManualStore:
    """A `modeldyno.server.caching.shared.Store` for tests, in memory."""

    def __init__(self) -> None:
        self.namespace = b"test"
        self.contents: dict[bytes, bytes] = {}
        self.ttls_ms: dict[bytes, int | None] = {}
        self.is_up = True
        self.looks = 0
        """How often it was asked."""
        self.left_ms: int | None = None
        """Told of all that is found."""
        self.with_age = False
        """Whether the last look wanted to know the age."""
        self._waiting: deque[_Waiting] = deque()

    @property
    def waiting(self) -> int:
        """How many looks it has not answered."""
        return len(self._waiting)

    def find(self, key: bytes, found: Callable[[Found], None], *, with_age: bool) -> bool:
        """See `Store`."""
        self.with_age = with_age
        if self.is_up:
            self.looks += 1
            self._waiting.append((key, found))
        return self.is_up

    def keep(self, key: bytes, content: bytes, kept: Callable[[bool], None], *, ttl_ms: int | None) -> bool:
        """See `Store`, but for the moment: `kept` is told at once."""
        if self.is_up:
            self.contents[key], self.ttls_ms[key] = content, ttl_ms
            kept(self.is_up)
        return self.is_up

    def answer(self, *, fails: bool = False) -> None:
        """Answer the look that has waited longest, or fail to."""
        key, found = self._waiting.popleft()
        found(Found(None, is_error=True) if fails else Found(self.contents.get(key), self.left_ms))
