"""The only file that reads the clock; everyone else is handed a `Clock`."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Monotonic nanoseconds for intervals, wall time for the records."""

    def now_ns(self) -> int:
        """Nanoseconds of CLOCK_MONOTONIC, which all processes of one machine share."""
        ...

    def wall_time(self) -> str:
        """The date and time of day in UTC, ISO 8601 with seconds."""
        ...

    def sleep_until_ns(self, moment_ns: int) -> None:
        """Return not before `moment_ns` on the monotonic clock."""
        ...


def epoch_ms(wall_time: str) -> int:
    """A `Clock.wall_time` as milliseconds since 1970-01-01 UTC, which whole protocols count in."""
    return round(datetime.fromisoformat(wall_time).timestamp() * 1000)


def wall_time_of(epoch_ms: int) -> str:
    """The inverse of `epoch_ms`, to the second."""
    return datetime.fromtimestamp(epoch_ms // 1000, UTC).isoformat(timespec="seconds")


class SystemClock:
    """The clock of this machine."""

    now_ns = staticmethod(time.monotonic_ns)
    """See `Clock`; a method around it would take twice the time, and a request asks several times."""

    def wall_time(self) -> str:
        """See `Clock`."""
        return datetime.now(UTC).isoformat(timespec="seconds")

    def sleep_until_ns(self, moment_ns: int) -> None:
        """See `Clock`."""
        left_ns = moment_ns - time.monotonic_ns()
        if left_ns > 0:
            time.sleep(left_ns / 1e9)
