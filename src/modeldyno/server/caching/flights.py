"""Equal requests of one served model: computed once, and then not at all for as long as the answer is kept.

All of it happens on the loop's thread. Where several servers share their answers, a flight whose answer is not kept
here begins with a look there: its calls are accepted and wait, and are then answered, or the first of them is queued.
"""

from collections.abc import Iterator
from functools import partial
from typing import Protocol

from modeldyno.clock import Clock
from modeldyno.policies.admission import Admission
from modeldyno.protocols import Tensors
from modeldyno.server.caching.answers import AnswerCache, Entry
from modeldyno.server.caching.question import Questions
from modeldyno.server.caching.shared import SharedAnswers
from modeldyno.server.call import Call, Computed


class Queue(Protocol):
    """Where calls wait to be computed: the part of a batcher that flights use."""

    def offer(self, call: Call) -> Admission | None:
        """Let it wait, or say why not; None: nothing is computed at all."""
        ...

    def watch(self, call: Call) -> None:
        """Expire it at its deadline."""
        ...

    def withdraw(self, call: Call) -> bool:
        """Take it out; whether it was there."""
        ...

    def cancel(self, call: Call) -> None:
        """Forget it, and its deadline."""
        ...


class Host(Protocol):
    """Who tells the calls what became of them."""

    def answer_equal(self, call: Call, entry: Entry, *, ready_ns: int, was_kept: bool) -> None:
        """Answer it with what was computed for an equal one.

        Args:
            call: that was not computed; it may be over.
            entry: the answer.
            ready_ns: when it was found, or computed for the leader.
            was_kept: whether it was in the cache.
        """
        ...

    def turn_away(self, call: Call, admission: Admission | None) -> None:
        """It was accepted to wait for an equal one, and there is no room to compute it."""
        ...

    def note_miss(self, cache_ns: int) -> None:
        """It is in no cache, which took so long to find out; it is to be computed."""
        ...

    def note_keeping(self, cache_ns: int) -> None:
        """An answer was kept, which took so long."""
        ...


class Flight:
    """Equal requests on their way, one of which is computed for all.

    Args:
        flights: where it is entered while it is under way.
        question: what they all ask.
        leader: the one that is computed.
    """

    __slots__ = ("_flights", "followers", "is_looking", "leader", "question")

    def __init__(self, flights: "Flights", question: bytes, leader: Call) -> None:
        self._flights = flights
        self.question = question
        self.leader = leader
        self.is_looking = False
        """Whether the answer is being looked for elsewhere, and so nothing of it is queued yet."""
        self.followers: dict[Call, None] = {}
        """In the order in which they would lead."""

    def begin(self) -> None:
        """Its leader was admitted."""
        self._flights.under_way[self.question] = self

    def is_waiting(self, call: Call) -> bool:
        """Whether one of them waits for the leader, or for what was kept elsewhere: it is not queued or computed."""
        return self.is_looking or call is not self.leader

    def leave(self, call: Call) -> None:
        """One of them ended for a reason of its own: it was cancelled or its deadline passed. The others go on.

        Of a leader that is being computed the result is not awaited: a batch that fails is not computed again for
        those who are gone, and so an heir could wait for ever.
        """
        call.flight = None
        if call is self.leader:
            self._flights.hand_over(self)
        else:
            self._flights.drop(self, call)

    def disband(self) -> list[Call]:
        """The leader failed: those who waited for it, since the same would happen to them."""
        return self._flights.end(self)

    def land(self, outputs: Tensors, computed: Computed) -> None:
        """The leader was computed: keep the answer, and tell the followers.

        Args:
            outputs: all of the model's, for the leader's rows.
            computed: its batch.
        """
        self._flights.land(self, outputs, computed)


class Flights:
    """Finds the answer that an equal request got, or the flight to join.

    Args:
        questions: what makes requests equal.
        cache: of the answers.
        queue: where leaders wait.
        host: the service.
        clock: of the service.
        max_following_rows: of requests that wait for an equal one; those beyond queue for themselves.
        shared: answers of other servers; None: there is nowhere to look.
    """

    def __init__(
        self,
        questions: Questions,
        cache: AnswerCache,
        *,
        queue: Queue,
        host: Host,
        clock: Clock,
        max_following_rows: int,
        shared: SharedAnswers | None = None,
    ) -> None:
        self.cache = cache
        self._shared = shared
        self._questions = questions
        self._queue = queue
        self._host = host
        self._clock = clock
        self._max_following_rows = max_following_rows
        self._following_rows = 0
        self.under_way: dict[bytes, Flight] = {}
        """By what is asked."""

    def take(self, call: Call) -> bool:
        """Answer the call at once, or let it wait for an equal one; False: it must be computed.

        In the last case it leads a flight of its own, which begins when it is admitted; without one, its answer will
        not be kept.
        """
        try:
            question = self._questions.ask(call.request, tenant=call.tenant, max_bytes=self.cache.largest_bytes)
        except MemoryError:
            return False  # it can still be computed
        if question is None:
            return False
        entry = self.cache.find(question, self._clock.now_ns())
        if entry is not None:
            self._host.answer_equal(call, entry, ready_ns=self._clock.now_ns(), was_kept=True)
            return True
        flight = self.under_way.get(question)
        if flight is None:
            call.flight = flight = Flight(self, question, call)
            return self._shared is not None and self._look(flight, self._shared)
        if self._following_rows + call.rows > self._max_following_rows:
            return False
        return self._join(flight, call)

    def waiting(self) -> Iterator[Call]:
        """Those who wait for an equal request, or until an answer was looked for."""
        for flight in self.under_way.values():
            if flight.is_looking:
                yield flight.leader
            yield from flight.followers

    def drop(self, flight: Flight, follower: Call) -> None:
        """It follows no longer."""
        del flight.followers[follower]
        self._following_rows -= follower.rows

    def end(self, flight: Flight) -> list[Call]:
        """Those who followed; none of them has a deadline or a flight any more."""
        flight.leader.flight = None
        self.under_way.pop(flight.question, None)
        if not flight.followers:
            return []
        followers = list(flight.followers)
        for call in followers:
            self.drop(flight, call)
            call.flight = None
            self._queue.cancel(call)
        return followers

    def land(self, flight: Flight, outputs: Tensors, computed: Computed) -> None:
        """See `Flight`."""
        began_ns = self._clock.now_ns()
        saved_ns = computed.ended_ns - computed.began_ns
        try:
            # Copied: a view would keep its whole batch in memory, and a session may use its arrays again.
            entry = Entry({name: array.copy() for name, array in outputs.items()}, saved_ns)
            if self.cache.keep(flight.question, entry, began_ns) and self._shared is not None:
                self._shared.keep(flight.question, entry)
        except MemoryError:
            entry = Entry(dict(outputs), saved_ns)  # it is given, and not kept
        self._host.note_keeping(self._clock.now_ns() - began_ns)
        for call in self.end(flight):
            ready_ns = max(computed.ended_ns, call.queued_ns)  # a thread may end before the loop hears of it
            self._host.answer_equal(call, entry, ready_ns=ready_ns, was_kept=False)

    def hand_over(self, flight: Flight) -> None:
        """The leader is gone: the first of the others for whom there is room leads."""
        while flight.followers:
            heir = next(iter(flight.followers))
            self.drop(flight, heir)
            flight.leader = heir
            if flight.is_looking or self._is_admitted(heir):
                return
        self.under_way.pop(flight.question, None)

    def _is_admitted(self, call: Call) -> bool:
        """Queue a call that was accepted before; where there is no room, it is told."""
        admission = self._queue.offer(call)
        if admission is not None and admission.obstacle is None:
            return True
        call.flight = None
        self._queue.cancel(call)
        self._host.turn_away(call, admission)
        return False

    def _look(self, flight: Flight, shared: SharedAnswers) -> bool:
        """Begin to look elsewhere; False: that is not possible now."""
        call = flight.leader
        if not shared.look(flight.question, call.rows, partial(self._hear, flight)):
            return False
        flight.is_looking = True
        flight.begin()
        self._queue.watch(call)
        return True

    def _hear(self, flight: Flight, entry: Entry | None, age_ns: int) -> None:
        """What was found elsewhere."""
        now_ns = self._clock.now_ns()
        if entry is not None:
            self.cache.keep(flight.question, entry, now_ns, age_ns=age_ns)
        leader = flight.leader
        if self.under_way.get(flight.question) is not flight or leader.is_over:
            return  # all of them are gone, or the server is
        flight.is_looking = False
        if entry is None:
            self._host.note_miss(now_ns - leader.queued_ns)
            if not self._is_admitted(leader):
                self.hand_over(flight)
            return
        followers = self.end(flight)
        self._queue.cancel(leader)
        for call in (leader, *followers):
            self._host.answer_equal(call, entry, ready_ns=max(now_ns, call.queued_ns), was_kept=True)

    def _join(self, flight: Flight, call: Call) -> bool:
        """Wait; or, where the leader has a lower priority and is not being computed yet, take its place."""
        if call.lane < flight.leader.lane:
            if flight.is_looking:
                self._queue.watch(call)
                self._step_back(flight)
                flight.leader, call.flight = call, flight
                return True
            if self._queue.withdraw(flight.leader):
                admission = self._queue.offer(call)
                self._step_back(flight)
                if admission is None or admission.obstacle is not None:
                    self.hand_over(flight)
                    return False
                flight.leader, call.flight = call, flight
                return True
        self._follow(flight, call)
        self._queue.watch(call)
        return True

    def _step_back(self, flight: Flight) -> None:
        """The leader is the first of the others."""
        others, flight.followers = flight.followers, {}
        self._follow(flight, flight.leader)
        flight.followers |= others

    def _follow(self, flight: Flight, call: Call) -> None:
        call.flight = flight
        flight.followers[call] = None
        self._following_rows += call.rows
