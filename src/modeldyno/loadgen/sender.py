"""Sends one worker's share of the plan, each request at its moment, and writes down what becomes of it."""

import asyncio
from collections import deque
from collections.abc import Callable

import numpy as np

from modeldyno.clock import Clock
from modeldyno.loadgen.ledger import Ledger
from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.pacer import Pacer
from modeldyno.loadgen.pool import Pool
from modeldyno.loadgen.transports.connection import NO_REQUEST, Answer, Connection, Dialer
from modeldyno.loadgen.vigil import keep_awake
from modeldyno.records.requests import Outcome

_STALE_AFTER_NS = 1_000_000_000
_NEVER_NS = 2**62
_TIMEOUT = Answer(Outcome.TIMEOUT)
_MALFORMED = Answer(Outcome.MALFORMED)
_DISCONNECTED = Answer(Outcome.DISCONNECTED)
_INTERRUPTED = Answer(Outcome.INTERRUPTED)
_SPIN_NS = 100_000
"""How long before a moment the timer fires, to spin until it: a sleeping processor takes tens of microseconds to wake.

Measured at 1,000/s (benchmarks/load_precision.py): sends 4.5 µs late at the median instead of 25, for 6 % more of a
core. Nothing spins while an answer is awaited, whose stamp would be late by as much.
"""
_TURN_NS = 10_000
"""An awake process spins for the last turn of its event loop, unless an answer is awaited."""
_AWAKE_BEFORE_NS = 5_000_000
"""So long before the start; earlier, it would take the core from a parent that gets ready to watch."""
_LEAST_GAP_TO_SPIN_NS = 5 * _SPIN_NS
"""Below, spinning would take more than a fifth of the core, and the processor has no time to fall asleep anyway."""


class Sender:
    """Open loop: what is due is sent, whatever happened to the requests before it.

    Closed loop: each of its users sends when it has its answer, and counts the request as planned at that moment.

    A request whose moment has come takes an idle connection, or else waits (charged to its response time, as is a
    late timer) until one is idle or a new one is open.

    A request that loses its connection before any byte of the answer is sent once more only if the connection had
    been idle for a second: a server that closes idle connections is then by far the likelier reason than one that
    fails on this request. On busy connections a loss is always a failure; retrying it would hide the server's.

    Args:
        assignment: what to send.
        ledger: where to write down.
        dialer: opens the connections.
        clock: CLOCK_MONOTONIC.
    """

    def __init__(self, assignment: Assignment, ledger: Ledger, dialer: Dialer, clock: Clock) -> None:
        self._assignment = assignment
        self._ledger = ledger
        self._dialer = dialer
        self._clock = clock
        self._now_ns = clock.now_ns
        self._loop = asyncio.get_running_loop()
        self._pacer = Pacer()
        self._vigil = keep_awake(self._watch, self._now_ns) if assignment.awake else None
        self._contents = assignment.requests
        self._moments = memoryview(b"").cast("q")
        self._next = 0
        self._end = 0
        """Index after the last request to be begun."""
        self._users = assignment.concurrency
        self._opened_at_refusal = -1
        self._refused_since_ns = 0
        self._queue: deque[int] = deque()
        self._busy: dict[Connection, None] = {}  # in the order they were sent, so that the first times out first
        self._retried: set[int] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._timeout_timer: asyncio.TimerHandle | None = None
        self.pool = Pool(
            self._dial, self, size=assignment.connections, limit=max(assignment.connections, assignment.max_connections)
        )
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when every request has its outcome, or `stop` was called."""

    def start(self, start_ns: int) -> None:
        """Send from `start_ns` on, a moment on the clock."""
        assignment = self._assignment
        self._ledger.start_ns = start_ns
        if self._vigil is not None:
            self._call_at(start_ns - _AWAKE_BEFORE_NS, self._vigil.begin)
        if self._users:
            self._start_users(start_ns)
            return
        moments = np.frombuffer(assignment.planned, "<i8") + start_ns
        self._end = len(moments)
        self._moments = memoryview(np.append(moments, _NEVER_NS).tobytes()).cast("q")
        if self._vigil is None:
            self._loop.add_reader(self._pacer.descriptor, self._send_due)
            self._pacer.arm(self._moments[0])
        end_ns = start_ns + assignment.plan_end_ns + assignment.timeout_ns
        self._timers.append(self._loop.call_later((end_ns - self._now_ns()) / 1e9, self._give_up_sending))
        self._check_end()

    def stop(self) -> None:
        """End now: what is in flight or overdue was interrupted, the rest is left unsent."""
        for connection in list(self._busy):
            self._resolve(connection, _INTERRUPTED, done_ns=-1)
        self._ledger.leave_unsent(self._queue, Outcome.INTERRUPTED)
        self._queue.clear()
        self._give_up_sending()

    def close(self) -> int:
        """Close everything. Returns how many connections were open."""
        self._loop.remove_reader(self._pacer.descriptor)
        self._pacer.close()
        if self._vigil is not None:
            self._vigil.end()
        for timer in self._timers:
            timer.cancel()
        if self._timeout_timer is not None:
            self._timeout_timer.cancel()
        count = self.pool.close()
        self._dialer.close()
        return count

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered."""
        return len(self._busy)

    @property
    def waited_ns(self) -> int:
        """CPU time spent staying awake."""
        return 0 if self._vigil is None else self._vigil.waited_ns

    @property
    def awake_fraction(self) -> float | None:
        """Share of the time since the start not spent asleep; None when it is to sleep."""
        return None if self._vigil is None else self._vigil.awake_fraction

    # What the pool asks and tells.

    def waiting(self) -> int:
        """See `PoolOwner`; a user without a request waits for a connection to send the next one."""
        queued = len(self._queue)
        if not self._users:
            return queued
        return queued + max(0, min(self._users - queued - len(self._busy), self._end - self._next))

    def available(self, connection: Connection) -> None:
        """See `PoolOwner`."""
        if self._queue:
            self._send(connection, self._queue.popleft())
        elif self._users and self._next < self._end:
            self._send(connection, self._begin())
        else:
            self.pool.give_back(connection)

    def refused(self) -> None:
        """See `PoolOwner`: everything that waits now has failed."""
        moment_ns = self._now_ns()
        indices = [self._queue.popleft() if self._queue else self._begin() for _ in range(self.waiting())]
        self._ledger.leave_unsent(indices, Outcome.REFUSED, moment_ns)
        if self._users:
            self._give_up_refused(moment_ns)
        self._check_end()

    # What the connections tell.

    def answered(self, connection: Connection, answer: Answer) -> None:
        """See `ConnectionOwner`."""
        done_ns = connection.done_ns
        if done_ns - connection.sent_ns > self._assignment.timeout_ns:
            # The answer was faster than the timer, but too late all the same.
            answer = answer._replace(outcome=Outcome.TIMEOUT)
        self._resolve(connection, answer, done_ns=done_ns)
        if answer.keep_alive:
            self.available(connection)
        else:
            connection.abort()

    def malformed(self, connection: Connection) -> None:
        """See `ConnectionOwner`."""
        if connection.request != NO_REQUEST:
            self._resolve(connection, _MALFORMED, done_ns=connection.done_ns)

    def lost(self, connection: Connection) -> None:
        """See `ConnectionOwner`."""
        index = connection.request
        if index != NO_REQUEST:
            if self._may_retry(connection):
                self._retried.add(index)
                self._busy.pop(connection)
                self._ledger.sent -= 1
                self._queue.appendleft(index)
            else:
                self._resolve(connection, _DISCONNECTED, done_ns=connection.done_ns)
        self.pool.remove(connection)
        self._serve_queue()

    def _may_retry(self, connection: Connection) -> bool:
        return (
            connection.received_bytes == 0
            and connection.sent_ns - connection.idle_since_ns >= _STALE_AFTER_NS
            and connection.request not in self._retried
        )

    async def _dial(self) -> Connection:
        async with asyncio.timeout(max(1.0, self._assignment.timeout_ns / 1e9)):
            return await self._dialer.dial(self)

    def _send_due(self) -> None:
        moments = self._moments
        now_ns = self._now_ns
        while True:
            left_ns = moments[self._next] - now_ns()
            if left_ns > 0:
                if left_ns <= _SPIN_NS and not self._busy:
                    continue
                break
            index = self._next
            self._next += 1
            connection = self.pool.take()
            if connection is None:
                self._queue.append(index)
            else:
                self._send(connection, index)
        if self._queue:
            self.pool.grow()
        if self._vigil is not None:
            return
        if self._next < len(moments) - 1:
            early_ns = _SPIN_NS if left_ns > _LEAST_GAP_TO_SPIN_NS else 0
            self._pacer.arm(moments[self._next] - early_ns)
        else:
            self._pacer.disarm()

    def _watch(self, moment_ns: int) -> int:
        """See `Vigil`: users send when they are answered, and all else is sent here."""
        if self._users or self._next >= len(self._moments):
            return _NEVER_NS
        left_ns = self._moments[self._next] - moment_ns
        if left_ns > (0 if self._busy else _TURN_NS):
            return left_ns
        self._send_due()
        return self._moments[self._next] - self._now_ns()

    def _serve_queue(self) -> None:
        while self.waiting() and (connection := self.pool.take()) is not None:
            self._send(connection, self._queue.popleft() if self._queue else self._begin())
        if self.waiting():
            self.pool.grow()

    # The closed loop.

    def _start_users(self, start_ns: int) -> None:
        assignment = self._assignment
        warm_ns = start_ns + assignment.warmup_ns
        self._end = _NEVER_NS
        # Not a timer of the event loop: it may fire half a millisecond early, and nothing happens before the start.
        self._loop.add_reader(self._pacer.descriptor, self._let_users_begin)
        self._pacer.arm(start_ns)
        if assignment.warmup_ns:
            self._call_at(warm_ns, self._begin_measured)
        else:
            self._begin_measured()
        if assignment.duration_ns:
            self._call_at(warm_ns + assignment.duration_ns, self._give_up_sending)

    def _let_users_begin(self) -> None:
        self._pacer.disarm()
        self._serve_queue()

    def _call_at(self, moment_ns: int, call: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(max(0.0, (moment_ns - self._now_ns()) / 1e9), call))

    def _begin_measured(self) -> None:
        self._ledger.first_measured = self._next
        if not self._assignment.duration_ns:
            self._end = self._next + self._assignment.most_requests

    def _begin(self) -> int:
        index = self._next
        self._next += 1
        self._ledger.add()
        return index

    def _give_up_refused(self, moment_ns: int) -> None:
        """End when no connection could be made for a whole time-out: a closed loop has no plan that would end it."""
        if self.pool.opened != self._opened_at_refusal:
            self._opened_at_refusal, self._refused_since_ns = self.pool.opened, moment_ns
        if moment_ns - self._refused_since_ns >= self._assignment.timeout_ns:
            self._give_up_sending()

    def _send(self, connection: Connection, index: int) -> None:
        which = self._ledger.which(index)
        connection.which = which
        connection.send(index, which, self._contents[which])
        self._busy[connection] = None
        self._ledger.sent += 1
        if self._timeout_timer is None:
            self._watch_timeouts(self._assignment.timeout_ns)

    def _resolve(self, connection: Connection, answer: Answer, *, done_ns: int) -> None:
        del self._busy[connection]
        self._ledger.resolve(connection.request, connection, answer, done_ns)
        connection.rest()
        if self._ledger.unresolved == 0:
            self._check_end()

    def _watch_timeouts(self, left_ns: int) -> None:
        self._timeout_timer = self._loop.call_later(max(0.001, left_ns / 1e9), self._time_out)

    def _time_out(self) -> None:
        self._timeout_timer = None
        while self._busy:
            connection = next(iter(self._busy))
            moment_ns = self._now_ns()
            left_ns = connection.sent_ns + self._assignment.timeout_ns - moment_ns
            if left_ns > 0:
                self._watch_timeouts(left_ns)
                return
            self._resolve(connection, _TIMEOUT, done_ns=moment_ns)
            connection.abort()

    def _give_up_sending(self) -> None:
        self._pacer.disarm()
        planned = () if self._users else range(self._next, max(self._next, len(self._moments) - 1))
        self._ledger.leave_unsent([*self._queue, *planned])
        self._queue.clear()
        self._next += len(planned)
        self._end = self._next
        self._check_end()

    def _check_end(self) -> None:
        if self._ledger.unresolved == 0 and self._next >= self._end and not self.ended.done():
            self.ended.set_result(None)
