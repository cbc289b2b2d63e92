"""One API key while a server runs: what it may, and what it has used."""

from collections.abc import Callable
from fnmatch import fnmatchcase

from modeldyno.clock import epoch_ms
from modeldyno.policies.rate_limit import is_within_quota
from modeldyno.records.security import ALL_MODELS, Key
from modeldyno.server.call import Refusal
from modeldyno.server.protection.token_bucket import TokenBucket
from modeldyno.server.rights import Right

_MOST_REMEMBERED = 1000
"""Rights remembered for a key; clients choose the names they ask for, and memory must not grow with those."""


class Account:
    """Counts on the loop's thread; another thread may call `renew` and read `used_rows`.

    Args:
        key: its record.
        digest: of its secret.
        bucket: for its rows a second.
    """

    __slots__ = (
        "_allowed", "_bucket", "_offset_rows", "digest", "expires_ms", "id", "is_limited", "key", "reserved_rows",
        "used_rows",
    )  # fmt: skip

    def __init__(self, key: Key, digest: bytes, *, bucket: TokenBucket) -> None:
        self.key = key
        self.id = key.id
        """Of the key."""
        self.digest = digest
        self.expires_ms: int | None = None
        """Since 1970-01-01."""
        self.used_rows = 0
        """Answered by this process since it began."""
        self._offset_rows = 0
        """What to add to `used_rows` for what the key used today, in all processes."""
        self.reserved_rows = 0
        """Of requests that were let pass and have not ended."""
        self.is_limited = True
        """Whether `limit` is to be asked before rows are reserved."""
        self._bucket = bucket
        self._allowed: dict[Right, bool] = {}

    def renew(self, key: Key, *, stored_rows: int) -> None:
        """Take over what the file says now.

        Args:
            key: its record, `rows_today` included.
            stored_rows: how much of `used_rows` the file has.
        """
        if key.scopes != self.key.scopes:
            self._allowed = {}
        self.key = key
        self.is_limited = key.rows_per_s is not None or key.rows_per_day is not None
        self._offset_rows = key.rows_today - stored_rows
        self.expires_ms = None if key.expires_at is None else epoch_ms(key.expires_at)

    def may(self, right: Right) -> bool:
        """Whether a scope allows it; without a model, on any."""
        known = self._allowed.get(right)
        if known is None:
            known = any(right.verb in scope.verbs and _covers(scope.models, right.model) for scope in self.key.scopes)
            if len(self._allowed) < _MOST_REMEMBERED:
                self._allowed[right] = known
        return known

    def limit(self, rows: int, now_ns: int, day_ends_in_s: Callable[[int], int]) -> Refusal | None:
        """Why a request of `rows` may not pass, and until when; None when it may."""
        quota = self.key.rows_per_day
        if quota is not None:
            used = self.used_rows + self._offset_rows + self.reserved_rows
            if not is_within_quota(rows, used_rows=used, quota_rows=quota):
                message = f"this key's quota of {quota} rows a day is used up; {max(0, quota - used)} are left"
                return Refusal(429, message, day_ends_in_s(now_ns))
        rate = self.key.rows_per_s
        if rate is not None:
            wait_ns = self._bucket.take(rows, rate_per_s=rate, burst_rows=self.key.burst_rows, now_ns=now_ns)
            if wait_ns:
                message = f"this key may have {rate:g} rows a second computed; try again later"
                return Refusal(429, message, -(-wait_ns // 10**9))
        return None

    def settle(self, rows: int, *, was_answered: bool) -> None:
        """What was added to `reserved_rows` is answered, or never will be: a quota pays for answers only."""
        self.reserved_rows -= rows
        if was_answered:
            self.used_rows += rows


def _covers(pattern: str, model: str | None) -> bool:
    if model is None or pattern == ALL_MODELS:
        return True
    # What concerns all models needs a scope for all; a pattern such as "?" must not match the word for them.
    return model != ALL_MODELS and fnmatchcase(model, pattern)
