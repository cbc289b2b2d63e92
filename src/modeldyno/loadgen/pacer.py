"""A timer that fires at an absolute moment of CLOCK_MONOTONIC, as a file descriptor an event loop can watch.

Event loop timers round to a millisecond (0.3-2 ms late); a timerfd is some tens of microseconds late at a tenth
of a core, where spinning takes a whole core and starves the answers. See timerfd_create(2).
"""

import ctypes
import os
import sys

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Pacer:
    """A timerfd.

    `descriptor` is readable from the armed moment on, until the timer is armed again or disarmed: setting it takes
    back an expiry that nobody has read, so nobody has to.

    Raises:
        OSError: the kernel gives no timer.
    """

    def __init__(self) -> None:
        if sys.version_info >= (3, 13):
            self.descriptor = os.timerfd_create(_CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
        else:
            self._library = ctypes.CDLL(None, use_errno=True)
            self._setting = _Itimerspec()
            self._pointer = ctypes.byref(self._setting)
            self.descriptor = self._library.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            if self.descriptor < 0:
                raise OSError(ctypes.get_errno(), "timerfd_create")

    def arm(self, moment_ns: int) -> None:
        """Fire once at `moment_ns`, at once when that is past."""
        self._set(max(1, moment_ns))

    def disarm(self) -> None:
        """Do not fire."""
        self._set(0)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)

    def _set(self, moment_ns: int) -> None:
        if sys.version_info >= (3, 13):
            os.timerfd_settime_ns(self.descriptor, flags=os.TFD_TIMER_ABSTIME, initial=moment_ns)
        else:
            value = self._setting.value
            value.seconds, value.nanoseconds = divmod(moment_ns, 1_000_000_000)
            if self._library.timerfd_settime(self.descriptor, _TFD_TIMER_ABSTIME, self._pointer, None) < 0:
                raise OSError(ctypes.get_errno(), "timerfd_settime")
