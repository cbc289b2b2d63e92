"""The instances of one model: which are idle, which are given up, and what replaces those."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

from modeldyno.protocols import Session
from modeldyno.server.loop import Loop
from modeldyno.server.models.instance import Instance

_LOG = logging.getLogger("modeldyno.server")
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 60.0
_REPLACEMENTS_EACH = 3
"""A hung thread cannot be ended and holds its session, perhaps a core; after so many the process needs a restart."""

OpenSession: TypeAlias = Callable[[], Session]


class Instances:
    """Opens a new session in place of one that hangs, where it is told how to.

    Args:
        sessions: the first ones; whoever opened them closes them.
        make: an instance from a session.
        open_session: opens a further session, on a thread of its own; None: there is no replacement.
        loop: where `joined` is called.
        joined: an instance more is idle.
    """

    def __init__(
        self,
        sessions: Sequence[Session],
        *,
        make: Callable[[Session], Instance],
        open_session: OpenSession | None,
        loop: Loop,
        joined: Callable[[], None],
    ) -> None:
        self._make = make
        self._open_session = open_session
        self._loop = loop
        self._joined = joined
        self.working = [make(session) for session in sessions]
        """Idle or busy, not those that were given up."""
        self.idle = list(self.working)
        self._opened: list[Session] = []
        self._replacements_left = _REPLACEMENTS_EACH * len(sessions)
        self._missing = 0
        """Being opened, or to be opened again after a while."""
        self._wanted = len(sessions)
        self._is_closed = False

    @property
    def is_hopeless(self) -> bool:
        """Whether none works and none is being opened."""
        return not self.working and not self._missing

    def free_in_ns(self, now_ns: int) -> int:
        """Until an instance should be idle; 0 when one is, or when that is not known."""
        if self.idle or not self.working:
            return 0
        return max(0, min(instance.idle_at_ns for instance in self.working) - now_ns)

    def give_up(self, instance: Instance) -> None:
        """It hangs: count on it no more, and open another in its place."""
        instance.is_given_up = True
        self.working.remove(instance)
        if self._open_session is not None and self._replacements_left > 0:
            self._replacements_left -= 1
            self._missing += 1
            self._open(self._open_session, _FIRST_RETRY_S)

    def take_back(self, instance: Instance) -> None:
        """It was given up, and has ended after all: it works again, unless another took its place."""
        if self._is_closed or len(self.working) + self._missing >= self._wanted:
            instance.close(0)
            return
        instance.is_given_up = False
        self.working.append(instance)
        self.idle.append(instance)
        self._joined()

    def close(self, until_ns: int) -> None:
        """End the threads, waiting for them until then; close the sessions that were opened here."""
        self._is_closed = True
        for instance in self.working:
            instance.close(until_ns)
        for session in self._opened:
            session.close()

    def _open(self, open_session: OpenSession, retry_s: float) -> None:
        if not self._is_closed:
            threading.Thread(target=self._work, args=(open_session, retry_s), name="open-session", daemon=True).start()

    def _work(self, open_session: OpenSession, retry_s: float) -> None:
        try:
            session = open_session()
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is logged and tried again
            self._tell(self._retry_later, problem, open_session, retry_s)
            return
        if not self._tell(self._join, session):
            session.close()

    def _tell(self, callback: Callable[..., object], *arguments: object) -> bool:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            return False  # the loop is closed: the server has ended
        return True

    def _join(self, session: Session) -> None:
        if self._is_closed:
            session.close()
            return
        self._missing -= 1
        self._opened.append(session)
        instance = self._make(session)
        self.working.append(instance)
        self.idle.append(instance)
        self._joined()

    def _retry_later(self, problem: Exception, open_session: OpenSession, retry_s: float) -> None:
        _LOG.error("no session in place of one that hangs, trying again in %d s: %s", retry_s, problem)
        self._loop.call_later(retry_s, self._open, open_session, min(_LAST_RETRY_S, 2 * retry_s))
