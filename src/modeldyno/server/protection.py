"""What a server is protected with: keys, an audit log, certificates."""

from pathlib import Path
from types import TracebackType
from typing import Self

from modeldyno.clock import Clock
from modeldyno.errors import DynoError
from modeldyno.records.server import ProtectionSettings
from modeldyno.server.audit import AuditLog
from modeldyno.server.gate import Gate
from modeldyno.server.guard import Guard
from modeldyno.server.key_ring import KeyRing


class Protection:
    """The guard of all listeners of a server, and the threads behind it, from entering the context to leaving it.

    Args:
        settings: which files.
        clock: for expiry, limits and the moments in the log.

    Raises:
        InputError, OutputError, UsageError: see `KeyRing` and `AuditLog`.
    """

    def __init__(self, settings: ProtectionSettings, *, clock: Clock) -> None:
        self._ring = KeyRing(Path(settings.keys), clock=clock) if settings.keys else None
        self._audit: AuditLog | None = None
        if settings.audit:
            try:
                self._audit = AuditLog(
                    Path(settings.audit),
                    on_failure=settings.audit_on_failure,
                    clock=clock,
                    rotate_bytes=settings.audit_rotate_bytes,
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
