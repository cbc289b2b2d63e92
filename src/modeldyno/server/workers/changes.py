"""Loading and unloading a model in all workers, or in none."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from modeldyno.records.server import ServedBundle
from modeldyno.server.workers.member import Member
from modeldyno.server.workers.messages import (
    Abandon,
    Answer,
    Ask,
    Changed,
    Commit,
    FromWorker,
    Prepare,
    Prepared,
    ToWorker,
    Unload,
    Verb,
)

_LOG = logging.getLogger("modeldyno.server")
_GONE = "the worker process that opened it ended; ask again"


class _Wish(NamedTuple):
    """What is asked of all, and by whom."""

    member: Member
    verb: Verb
    name: str
    question: int

    def parties(self, members: Iterable[Member]) -> Iterable[Member]:
        """In which of those that serve it is to be made."""
        return members

    def end(self, problem: str | None, status: int) -> None:
        """Tell who asked."""
        if self.member.is_started:
            self.member.link.send(Answer(self.question, problem, status))


class _Lesson(NamedTuple):
    """What a new worker has missed."""

    member: Member
    verb: Verb
    name: str

    def parties(self, members: Iterable[Member]) -> Iterable[Member]:  # noqa: ARG002 - that of `_Wish`
        """The new one alone."""
        return (self.member,)


class _Entry(NamedTuple):
    """A new worker that has missed nothing more when it is its turn."""

    member: Member
    join: Callable[[], None]


class _Change:
    """A wish that is being fulfilled."""

    def __init__(self, number: int, wish: _Wish | _Lesson, parties: Iterable[Member]) -> None:
        self.number = number
        self.wish = wish
        self.parties = set(parties)
        """The workers that it is made in."""
        self.awaited = set(self.parties)
        """Those of which the next answer is still to come."""
        self.is_committed = False
        self.problem: str | None = None
        self.status = 200
        self.served: Sequence[ServedBundle] = ()
        """Of the model, afterwards."""

    def fail(self, problem: str, status: int) -> None:
        """Keep the first problem."""
        if self.problem is None:
            self.problem, self.status = problem, status


class Changes:
    """Makes one change at a time: every worker prepares it, and only when all have, each commits.

    Between the first commit and the last a request may be answered by either version, for the time that it takes to
    send a message to each worker; never is one refused.

    Args:
        members: tells who serves now.
    """

    def __init__(self, members: Callable[[], Iterable[Member]]) -> None:
        self._members = members
        self._wishes: deque[_Wish | _Lesson | _Entry] = deque()
        self._change: _Change | None = None
        self._begun = 0
        self.count = 0
        """Of changes that were made in all workers."""
        self._made: dict[str, tuple[int, Verb]] = {}
        """What was done last with each model, and the count after it, for workers that were starting meanwhile."""
        self._served: dict[str, Sequence[ServedBundle]] | None = None

    def served(self) -> Sequence[ServedBundle] | None:
        """Everything that is served now; None before the first worker has started."""
        if self._served is None:
            return None
        return [one for name in sorted(self._served) for one in self._served[name]]

    def hear(self, member: Member, message: FromWorker) -> None:
        """A worker asks for a change, or answers to one."""
        change = self._change
        match message:
            case Ask(question, verb, name):
                self._wishes.append(_Wish(member, verb, name, question))
                self._begin_next()
            case Prepared(number, problem, status) | Changed(number, problem, status):
                if change is None or change.number != number or member not in change.awaited:
                    return  # of a change that ended without it
                if problem is not None:
                    change.fail(problem, status)
                elif isinstance(message, Changed):
                    change.served = message.served
                change.awaited.discard(member)
                self._go_on(change)
            case _:
                raise AssertionError(f"not a message for here: {message!r}")

    def leave_out(self, member: Member) -> None:
        """A worker is gone, and with it what it asked; a change is made in the others."""
        self._wishes = deque(wish for wish in self._wishes if wish.member is not member)
        change = self._change
        if change is None or member not in change.parties:
            return
        change.parties.discard(member)
        change.awaited.discard(member)
        if not change.parties:
            change.fail(_GONE, 503)
        self._go_on(change)

    def admit(self, member: Member, served: Sequence[ServedBundle], join: Callable[[], None]) -> None:
        """Have a worker that started with this do what the others did meanwhile, and then call `join`."""
        if self._served is None:
            self._served = {one.name: [other for other in served if other.name == one.name] for one in served}
        self._wishes.append(_Entry(member, join))
        self._begin_next()

    def _lessons(self, member: Member) -> list[_Lesson]:
        made = [(count, verb, name) for name, (count, verb) in self._made.items() if count > member.known_changes]
        return [_Lesson(member, verb, name) for _, verb, name in sorted(made)]

    def _begin_next(self) -> None:
        while self._change is None and self._wishes:
            wish = self._wishes.popleft()
            if isinstance(wish, _Entry):
                lessons = self._lessons(wish.member)
                wish.member.known_changes = self.count
                if lessons:
                    # In front of what others wish: that is for the new one, too.
                    self._wishes.extendleft(reversed([*lessons, wish]))
                else:
                    wish.join()
                continue
            self._begun += 1
            change = self._change = _Change(self._begun, wish, wish.parties(self._members()))
            if wish.verb == "load":
                _tell(change, Prepare(change.number, wish.name))
            else:
                change.is_committed = True
                _tell(change, Unload(change.number, wish.name))
            if not change.parties:
                change.fail(_GONE, 503)
                self._end(change)

    def _go_on(self, change: _Change) -> None:
        if change.awaited:
            return
        if change.is_committed or change.problem is not None:
            if not change.is_committed:
                _tell(change, Abandon(change.number))
            self._end(change)
            self._begin_next()
            return
        change.is_committed = True
        change.awaited = set(change.parties)
        _tell(change, Commit(change.number))

    def _end(self, change: _Change) -> None:
        self._change = None
        wish = change.wish
        if isinstance(wish, _Lesson):
            if change.problem is not None and change.parties:
                self._turn_away(wish, change.problem)
            return
        if change.problem is None:
            self._note(wish.verb, wish.name, change.served)
        wish.end(change.problem, change.status)

    def _turn_away(self, lesson: _Lesson, problem: str) -> None:
        """A worker that serves something else than the others is worse than one less."""
        member = lesson.member
        self._wishes = deque(wish for wish in self._wishes if wish.member is not member)
        _LOG.error("worker %d cannot %s %r as the others did: %s", member.number, lesson.verb, lesson.name, problem)
        member.process.kill()

    def _note(self, verb: Verb, name: str, served: Sequence[ServedBundle]) -> None:
        self.count += 1
        self._made[name] = (self.count, verb)
        if self._served is None:
            return
        if verb == "load":
            self._served[name] = served
        else:
            self._served.pop(name, None)


def _tell(change: _Change, message: ToWorker) -> None:
    for member in change.parties:
        member.link.send(message)
