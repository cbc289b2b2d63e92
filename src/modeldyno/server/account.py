"""One API key while a server runs: what it may, and what it has used."""

import hmac
from collections.abc import Callable
from fnmatch import fnmatchcase

from modeldyno.clock import epoch_ms
from modeldyno.policies.rate_limit import Bucket, is_within_quota, take
from modeldyno.records.security import ALL_MODELS, Key, Verb
from modeldyno.server.call import Refusal

_MOST_REMEMBERED = 1000
"""Rights remembered for a key; clients choose the names they ask for, and memory must not grow with those."""


class Account:
    """Counts on the loop's thread; another thread may call `renew` and read `used_rows`."""

    __slots__ = (
        "_allowed", "_bucket", "_offset_rows", "_reserved_rows", "digest", "expires_ms", "key", "used_rows",
    )  # fmt: skip

    def __init__(self, key: Key, digest: bytes, *, now_ns: int) -> None:
        self.key = key
        self.digest = digest
        self.expires_ms: int | None = None
        """Since 1970-01-01."""
        self.used_rows = 0
        """Answered by this process since it began."""
        self._offset_rows = 0
        """What to add to `used_rows` for what the key used today, in all processes."""
        self._reserved_rows = 0
        self._bucket = Bucket(float(key.burst_rows), now_ns)
        self._allowed: dict[tuple[Verb, str | None], bool] = {}

    def renew(self, key: Key, *, stored_rows: int) -> None:
        """Take over what the file says now.

        Args:
            key: its record, `rows_today` included.
            stored_rows: how much of `used_rows` the file has.
        """
        if key.scopes != self.key.scopes:
            self._allowed = {}
        self.key = key
        self._offset_rows = key.rows_today - stored_rows
        self.expires_ms = None if key.expires_at is None else epoch_ms(key.expires_at)

    def is_key(self, digest: bytes) -> bool:
        """Whether that is its digest, found in constant time."""
        return hmac.compare_digest(digest, self.digest)

    def may(self, verb: Verb, model: str | None) -> bool:
        """Whether a scope allows it; without a model, on any."""
        asked = (verb, model)
        known = self._allowed.get(asked)
        if known is None:
            known = any(verb in scope.verbs and _covers(scope.models, model) for scope in self.key.scopes)
            if len(self._allowed) < _MOST_REMEMBERED:
                self._allowed[asked] = known
        return known

    def reserve(self, rows: int, now_ns: int, day_ends_in_s: Callable[[int], int]) -> Refusal | None:
        """Let a request of `rows` pass, until `settle`; or say why not, and until when."""
        quota = self.key.rows_per_day
        if quota is not None:
            used = self.used_rows + self._offset_rows + self._reserved_rows
            if not is_within_quota(rows, used_rows=used, quota_rows=quota):
                message = f"this key's quota of {quota} rows a day is used up; {max(0, quota - used)} are left"
                return Refusal(429, message, day_ends_in_s(now_ns))
        rate = self.key.rows_per_s
        if rate is not None:
            self._bucket, wait_ns = take(
                self._bucket, rows, rate_per_s=rate, burst_rows=self.key.burst_rows, now_ns=now_ns
            )
            if wait_ns:
                message = f"this key may have {rate:g} rows a second computed; try again later"
                return Refusal(429, message, -(-wait_ns // 10**9))
        self._reserved_rows += rows
        return None

    def settle(self, rows: int, *, was_answered: bool) -> None:
        """What was reserved is answered, or never will be: a quota pays for answers only."""
        self._reserved_rows -= rows
        if was_answered:
            self.used_rows += rows


def _covers(pattern: str, model: str | None) -> bool:
    if model is None or pattern == ALL_MODELS:
        return True
    # What concerns all models needs a scope for all; a pattern such as "?" must not match the word for them.
    return model != ALL_MODELS and fnmatchcase(model, pattern)
