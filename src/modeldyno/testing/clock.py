"""A clock that moves only when it is told to."""


class ManualClock:
    """A `modeldyno.clock.Clock` for tests: starts at `now_ns`, sleeping moves it, nothing waits."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """See `Clock`."""
        return self._now_ns

    def wall_time(self) -> str:
        """A fixed date and time: a manual clock has no day."""
        return "2026-01-01T00:00:00+00:00"

    def sleep_until_ns(self, moment_ns: int) -> None:
        """Move to `moment_ns` at once."""
        self._now_ns = max(self._now_ns, moment_ns)

    def advance_ns(self, duration_ns: int) -> None:
        """Let so much time pass."""
        self._now_ns += duration_ns
