"""What a server is protected with: keys, an audit log, certificates."""

from pathlib import Path
from types import TracebackType
from typing import Self

from modeldyno.clock import Clock
from modeldyno.errors import DynoError
from modeldyno.records.server import ProtectionSettings
from modeldyno.server.protection.audit import AuditLog
from modeldyno.server.protection.gate import Gate
from modeldyno.server.protection.guard import Guard
from modeldyno.server.protection.key_ring import KeyRing
from modeldyno.server.protection.shared_limits import SharedBuckets


class Protection:
    """The guard of all listeners of a server, and the threads behind it, from entering the context to leaving it.

    Args:
        settings: which files.
        clock: for expiry, limits and the moments in the log.
        worker: number of this process among those of its server, from 0; each writes an audit log of its own.

    Raises:
        InputError, OutputError, UsageError: see `KeyRing` and `AuditLog`.
    """

    def __init__(self, settings: ProtectionSettings, *, clock: Clock, worker: int = 0) -> None:
        self._ring = _ring_of(settings, clock) if settings.keys else None
        self._audit: AuditLog | None = None
        if settings.audit:
            try:
                self._audit = AuditLog(
                    Path(settings.audit),
                    on_failure=settings.audit_on_failure,
                    clock=clock,
                    rotate_bytes=settings.audit_rotate_bytes,
                    worker=worker,
                )
            except DynoError:
                if self._ring is not None:
                    self._ring.stop()
                raise
        gate = None if self._ring is None else Gate(self._ring, clock=clock)
        self.guard = None if gate is None and self._audit is None else Guard(gate, self._audit)
        """None where nothing is asked for or written down: then it costs nothing."""

    def __enter__(self) -> Self:
        if self._ring is not None:
            self._ring.start()
        if self._audit is not None:
            self._audit.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ring is not None:
            self._ring.stop()
        if self._audit is not None:
            self._audit.stop()


def _ring_of(settings: ProtectionSettings, clock: Clock) -> KeyRing:
    buckets = SharedBuckets(Path(settings.shared_limits)) if settings.shared_limits else None
    try:
        return KeyRing(Path(settings.keys), clock=clock, buckets=buckets)
    except DynoError:
        if buckets is not None:
            buckets.close()
        raise
