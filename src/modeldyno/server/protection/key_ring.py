"""The keys of a file in memory, as fresh as half a second ago, so that no request waits for a disk."""

import logging
import threading
from hmac import compare_digest
from pathlib import Path

from modeldyno.clock import Clock, epoch_ms
from modeldyno.errors import DynoError
from modeldyno.policies.rate_limit import seconds_left_of_day
from modeldyno.records.security import Key
from modeldyno.server.protection.account import Account
from modeldyno.server.protection.keys import MARK, FileVersion, KeyFile
from modeldyno.server.protection.shared_limits import SharedBuckets
from modeldyno.server.protection.token_bucket import OwnBucket, TokenBucket

_LOG = logging.getLogger("modeldyno.server")
_MARK = MARK.encode()
_INTERVAL_S = 0.5
STALE_NS = 5 * 10**9
"""Keys older than this let nobody in: what was revoked since cannot be known."""


class KeyRing:
    """Finds the account of a key. `refresh` may be called on another thread, and is, between `start` and `stop`.

    Args:
        path: the key file.
        clock: for expiry and limits.
        buckets: of the rows a second, where several processes count them together.

    Raises:
        InputError: there is no key file, or it cannot be read.
    """

    def __init__(self, path: Path, *, clock: Clock, buckets: SharedBuckets | None = None) -> None:
        self._path = path
        self._clock = clock
        self._buckets = buckets
        self._file = KeyFile(path, clock=clock)
        self._accounts: dict[bytes, Account] = {}
        self._known: dict[bytes, Account] = {}
        """By the keys that were found right since the last `refresh`: no key is kept for longer after its last use."""
        self._stored_rows: dict[bytes, int] = {}
        self._version: FileVersion | None = None
        self._wall_offset_ms = 0
        self.stale_ns = 0
        """From when on the file could not be read for too long."""
        self._is_failing = False
        self._ends = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="key-ring", daemon=True)
        self.refresh()

    def start(self) -> None:
        """Begin to follow the file."""
        self._watcher.start()

    def stop(self) -> None:
        """Store what was used, and close the file."""
        self._ends.set()
        if self._watcher.is_alive():
            self._watcher.join(10 * _INTERVAL_S)
        self._try_refresh()
        self._file.close()
        if self._buckets is not None:
            self._buckets.close()

    def find(self, presented: bytes, now_ns: int) -> Account | None:
        """The account whose key was presented, unless it is expired."""
        # Read before the accounts, which are renewed before it: what was found among old ones is remembered by nobody.
        known = self._known
        account = known.get(presented)
        if account is None:
            account = self._check(presented)
            if account is None:
                return None
            known[presented] = account
        expires_ms = account.expires_ms
        if expires_ms is not None and now_ns // 1_000_000 + self._wall_offset_ms >= expires_ms:
            return None
        return account

    def _check(self, presented: bytes) -> Account | None:
        parts = presented.split(b"_", 2)  # the mark, the public id, the secret
        if parts[0] != _MARK or len(parts) == 1:
            return None
        account = self._accounts.get(parts[1])
        # In constant time: how much of the digest was right must not be told by how long it takes to say no.
        if account is None or not compare_digest(self._file.digest_of(presented), account.digest):
            return None
        return account

    def day_ends_in_s(self, now_ns: int) -> int:
        """Seconds to the next UTC midnight."""
        return seconds_left_of_day((now_ns // 1_000_000 + self._wall_offset_ms) // 1000)

    def refresh(self) -> None:
        """Store what was answered since the last call, and take over what the file says.

        Raises:
            InputError: the file is gone, or cannot be read or written.
        """
        now_ns = self._clock.now_ns()
        # Anew each time: the wall clock may have been set, and what expires goes with it.
        self._wall_offset_ms = epoch_ms(self._clock.wall_time()) - now_ns // 1_000_000
        has_stored = self._store()
        version = self._file.version()
        if self._version is not None and version.file != self._version.file:
            self._file.close()
            self._file = KeyFile(self._path, clock=self._clock)
            version = self._file.version()
        if version != self._version or has_stored:
            self._take_over(now_ns)
            self._version = version
        self._known = {}
        self.stale_ns = now_ns + STALE_NS

    def _store(self) -> bool:
        answered = {
            number: account.used_rows
            for number, account in self._accounts.items()
            if account.used_rows > self._stored_rows.get(number, 0)
        }
        if answered:
            self._file.count_rows({n.decode(): rows - self._stored_rows.get(n, 0) for n, rows in answered.items()})
            self._stored_rows.update(answered)
        return bool(answered)

    def _take_over(self, now_ns: int) -> None:
        accounts = {}
        for name, (key, digest) in self._file.read().items():
            if key.revoked_at is not None:
                continue
            number = name.encode()
            account = self._accounts.get(number)
            if account is None or account.digest != digest:
                account = Account(key, digest, bucket=self._bucket_of(key, now_ns))
                self._stored_rows.pop(number, None)
            account.renew(key, stored_rows=self._stored_rows.get(number, 0))
            accounts[number] = account
        self._accounts = accounts

    def _bucket_of(self, key: Key, now_ns: int) -> TokenBucket:
        if self._buckets is None or key.rows_per_s is None:
            return OwnBucket(key.burst_rows, now_ns)
        return self._buckets.bucket(key.id, burst_rows=key.burst_rows, now_ns=now_ns)

    def _watch(self) -> None:
        while not self._ends.wait(_INTERVAL_S):
            self._try_refresh()

    def _try_refresh(self) -> None:
        try:
            self.refresh()
        except DynoError as problem:
            if not self._is_failing:
                _LOG.error("%s (%s); nobody is let in until it can be", problem.what, problem.why)
            self._is_failing = True
        else:
            self._is_failing = False
