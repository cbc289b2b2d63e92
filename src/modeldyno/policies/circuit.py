"""Whether something that fails is asked again, and when: a circuit breaker."""


class Circuit:
    """Closed while things go well; too many failures in a row open it, and then a try is made after a while.

    After a try that went well at first, a single failure opens it again, for twice as long. Only a success closes it
    for good: what lets itself be reached and then says nothing is left alone for longer and longer.

    Args:
        most_failures: in a row.
        first_wait_ns: until the first try.
        longest_wait_ns: between two tries.
    """

    def __init__(self, *, most_failures: int, first_wait_ns: int, longest_wait_ns: int) -> None:
        self._most_failures = most_failures
        self._first_wait_ns = first_wait_ns
        self._longest_wait_ns = longest_wait_ns
        self._failures = 0
        self._wait_ns = first_wait_ns

    def succeed(self) -> None:
        """It did what it should."""
        self._failures = 0
        self._wait_ns = self._first_wait_ns

    def fail(self) -> bool:
        """It did not; whether it is to be left alone from now on, see `trip`."""
        self._failures += 1
        return self._failures >= self._most_failures

    def trip(self, now_ns: int) -> int:
        """Leave it alone.

        Returns:
            When to try again.
        """
        wait_ns, self._wait_ns = self._wait_ns, min(2 * self._wait_ns, self._longest_wait_ns)
        return now_ns + wait_ns

    def close(self) -> None:
        """A try went well; the next failure is one too many."""
        self._failures = self._most_failures - 1
