"""How many threads the numeric libraries under scikit-learn may use, set where the computing happens."""

import threading
from typing import Any


class ThreadLimit:
    """Caps OpenMP and BLAS threads at `threads` for the thread that calls `hold`.

    OpenMP keeps the number for each calling thread, BLAS one for the whole process; so neither a limit set once when
    a session opens (in another thread than it computes in) nor one set around every call is right: a
    `threadpool_limits` block costs 30 µs, more than a small model. What was last set is remembered instead, and
    setting is left out while it still holds. Sessions with different limits that compute at the same moment share
    the BLAS number of whichever called last: the libraries offer nothing better.
    """

    # What the process was last set to is a fact of the process, not of one limit.
    _process = 0
    _thread = threading.local()

    def __init__(self, threads: int) -> None:
        from threadpoolctl import ThreadpoolController

        self._threads = threads
        self._libraries: list[Any] = list(ThreadpoolController().lib_controllers)

    def hold(self) -> None:
        """Make the limit hold here and now."""
        if ThreadLimit._process == self._threads and getattr(self._thread, "threads", 0) == self._threads:
            return
        for library in self._libraries:
            library.set_num_threads(self._threads)
        ThreadLimit._process = self._threads
        self._thread.threads = self._threads
