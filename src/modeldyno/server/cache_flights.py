"""Equal requests of one served model: computed once, and then not at all for as long as the answer is kept.

All of it happens on the loop's thread.
"""

from collections.abc import Iterator
from typing import Protocol

from modeldyno.clock import Clock
from modeldyno.policies.admission import Admission
from modeldyno.protocols import Tensors
from modeldyno.server.cache import AnswerCache, Entry, digest_of
from modeldyno.server.cache_question import Questions
from modeldyno.server.call import Call
from modeldyno.server.instance import Computed


class Queue(Protocol):
    """Where calls wait to be computed: the part of a batcher that flights use."""

    @property
    def is_able(self) -> bool:
        """Whether anything is computed at all."""
        ...

    def offer(self, call: Call) -> Admission:
        """Let it wait, or say why not."""
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

    def note_keeping(self, cache_ns: int) -> None:
        """An answer was kept, which took so long."""
        ...


class Flight:
    """Equal requests on their way, one of which is computed for all.

    Args:
        flights: where it is entered while it is under way.
        digest: of the question.
        question: what they all ask.
        leader: the one that is computed.
    """

    __slots__ = ("_flights", "digest", "followers", "leader", "question")

    def __init__(self, flights: "Flights", digest: bytes, question: bytes, leader: Call) -> None:
        self._flights = flights
        self.digest = digest
        self.question = question
        self.leader = leader
        self.followers: dict[Call, None] = {}
        """In the order in which they would lead."""

    def begin(self) -> None:
        """Its leader was admitted."""
        self._flights.begin(self)

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
    ) -> None:
        self.cache = cache
        self._questions = questions
        self._queue = queue
        self._host = host
        self._clock = clock
        self._max_following_rows = max_following_rows
        self._following_rows = 0
        self._flights: dict[bytes, Flight] = {}

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
        digest = digest_of(question)
        now_ns = self._clock.now_ns()
        entry = self.cache.find(digest, question, now_ns)
        if entry is not None:
            self._host.answer_equal(call, entry, ready_ns=self._clock.now_ns(), was_kept=True)
            return True
        flight = self._flights.get(digest)
        if flight is None:
            call.flight = Flight(self, digest, question, call)
            return False
        if flight.question != question or self._following_rows + call.rows > self._max_following_rows:
            return False
        return self._join(flight, call)

    def waiting(self) -> Iterator[Call]:
        """Those who wait for an equal request."""
        for flight in self._flights.values():
            yield from flight.followers

    def begin(self, flight: Flight) -> None:
        """See `Flight`."""
        self._flights[flight.digest] = flight

    def drop(self, flight: Flight, follower: Call) -> None:
        """It follows no longer."""
        del flight.followers[follower]
        self._following_rows -= follower.rows

    def end(self, flight: Flight) -> list[Call]:
        """Those who followed; none of them has a deadline or a flight any more."""
        flight.leader.flight = None
        self._flights.pop(flight.digest, None)
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
            entry = Entry(flight.question, {name: array.copy() for name, array in outputs.items()}, saved_ns)
            self.cache.keep(flight.digest, entry, began_ns)
        except MemoryError:
            entry = Entry(flight.question, dict(outputs), saved_ns)  # it is given, and not kept
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
            admission = self._queue.offer(heir) if self._queue.is_able else None
            if admission is not None and admission.obstacle is None:
                return
            heir.flight = None
            self._queue.cancel(heir)
            self._host.turn_away(heir, admission)
        self._flights.pop(flight.digest, None)

    def _join(self, flight: Flight, call: Call) -> bool:
        """Wait; or, where the leader has a lower priority and is still queued, be computed in its place."""
        if call.lane < flight.leader.lane and self._queue.withdraw(flight.leader):
            admission = self._queue.offer(call) if self._queue.is_able else None
            before, others = flight.leader, flight.followers
            flight.followers = {}
            self._follow(flight, before)
            flight.followers |= others
            if admission is None or admission.obstacle is not None:
                self.hand_over(flight)
                return False
            flight.leader, call.flight = call, flight
            return True
        self._follow(flight, call)
        self._queue.watch(call)
        return True

    def _follow(self, flight: Flight, call: Call) -> None:
        call.flight = flight
        flight.followers[call] = None
        self._following_rows += call.rows
