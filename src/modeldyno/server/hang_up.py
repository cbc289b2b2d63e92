"""SIGHUP: somebody wants the certificate read again, or the terminal is gone."""

import asyncio
import signal
from collections.abc import Callable


def on_hang_up(loop: asyncio.AbstractEventLoop, *, renew: Callable[[], None] | None, end: Callable[[], None]) -> None:
    """Have the signal do what is meant by it; by default it would kill a server with all that it has accepted.

    Args:
        loop: of the server.
        renew: reads the certificate again; None: there is none.
        end: what else the signal does, as often as it comes: a shell and the kernel may both send it.
    """
    if renew is not None:
        loop.add_signal_handler(signal.SIGHUP, renew)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup(1) leaves it, so that the server lives on
        loop.add_signal_handler(signal.SIGHUP, end)
