"""Drives the batching, admission and placement policies with the real clock."""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from modeldyno.clock import Clock
from modeldyno.policies.admission import Admission, admit, expected_wait_ns, has_room
from modeldyno.policies.batching import check_batching
from modeldyno.policies.deadlines import Deadlines
from modeldyno.policies.padding import PaddingPlan
from modeldyno.policies.placement import INLINE_LIMIT_NS, ComputeTime, is_inline, stall_limit_ns
from modeldyno.policies.readiness import Pulse, late_ns
from modeldyno.policies.waiting import Line
from modeldyno.protocols import Session
from modeldyno.records.deployment import Deployment
from modeldyno.server.call import Call, Computed
from modeldyno.server.loop import Handle, Loop
from modeldyno.server.models.instance import Instance
from modeldyno.server.models.instances import Instances, OpenSession

_LOG = logging.getLogger("modeldyno.server")


class Receiver(Protocol):
    """Whom the batcher tells what became of the calls that it was offered."""

    def deliver(self, calls: Sequence[Call], computed: Computed) -> None:
        """They were computed; those that are over meanwhile are among them, since their rows are."""
        ...

    def expire(self, call: Call, *, is_queued: bool) -> None:
        """Its deadline passed, in the queue or while it was computed."""
        ...

    def lose(self, call: Call, reason: str) -> None:
        """It will never be computed."""
        ...


class Batcher:
    """Queues calls, forms batches, and tells `receiver` what became of each call, all on the loop's thread.

    It looks at the queue only when a call arrives, when an instance falls idle, or when a delay is over. Calls that
    arrive in one turn of the loop are seen together. Deadlines and stalled instances share one timer.

    Raises:
        UsageError: the deployment contradicts itself.
    """

    def __init__(
        self,
        sessions: Sequence[Session],
        deployment: Deployment,
        *,
        merges: bool,
        plan: PaddingPlan | None = None,
        open_session: OpenSession | None = None,
        loop: Loop,
        clock: Clock,
        receiver: Receiver,
    ) -> None:
        batching = deployment.batching
        check_batching(batching)
        if not merges:
            batching = msgspec.structs.replace(batching, max_rows=1, max_delay_ns=0, preferred_rows=())
        self._loop = loop
        self._clock = clock
        self._receiver = receiver
        self._deployment = deployment
        self._plan = plan
        self._max_delay_ns = batching.max_delay_ns
        self._lane_limits = [lane.max_queued_rows for lane in batching.lanes]
        self._has_lane_limits = any(limit is not None for limit in self._lane_limits)
        self._line: Line[Call] = Line(batching)
        self._singly: deque[Call] = deque()
        """Calls of batches that failed, each to be computed alone, so that only the one at fault fails."""
        self._deadlines: Deadlines[Call | Instance] = Deadlines()
        self._alarm: Handle | None = None
        self._alarm_ns: int | None = None
        self._compute_time = ComputeTime()
        self._may_inline = len(sessions) == 1
        self._is_flush_due = False
        self._timer: Handle | None = None
        self._instances = Instances(
            sessions, make=self._make_instance, open_session=open_session, loop=loop, joined=self._flush_soon
        )
        self._idle = self._instances.idle

    def _make_instance(self, session: Session) -> Instance:
        return Instance(
            session, name="instance", loop=self._loop, clock=self._clock, done=self._finish_threaded, plan=self._plan
        )

    @property
    def queued_rows(self) -> int:
        """Rows that wait."""
        return self._line.rows

    @property
    def queued_calls(self) -> int:
        """Calls that wait; counted when asked."""
        return sum(1 for _ in self._line)

    @property
    def in_progress(self) -> int:
        """Calls that wait or are computed, those among them that are over meanwhile; counted when asked."""
        computed = sum(len(instance.calls) for instance in self._instances.working)
        return self.queued_calls + len(self._singly) + computed

    def offer(self, call: Call) -> Admission | None:
        """Admit the call to the queue, or say why not and when to come back; None: no instance works."""
        if not self._instances.working:
            return None
        line = self._line
        if call.deadline_ns is None and not self._has_lane_limits:
            is_admitted = has_room(
                rows=call.rows, queued_rows=line.rows, max_queued_rows=self._deployment.max_queued_rows
            )
            admission = _ADMITTED if is_admitted else self._assess(call)
        else:
            admission = self._assess(call)
        if admission.obstacle is None:
            if self._plan is not None:
                call.key = self._plan.key(call.request.batch_key)
            if self._max_delay_ns:
                call.due_ns = self._due_ns(call)
            line.add(call)
            if call.deadline_ns is not None:
                self._watch(call, call.deadline_ns)
            self._flush_soon()
        return admission

    def pulses(self) -> list[Pulse]:
        """What the instances that work do now."""
        return [
            Pulse(bool(instance.calls), late_ns(instance.idle_at_ns, instance.stalled_at_ns))
            for instance in self._instances.working
        ]

    def ask(self, call: Call) -> None:
        """Compute a call that nobody waits for, whatever else waits."""
        self._line.add(call)
        self._flush_soon()

    def watch(self, call: Call) -> None:
        """Expire a call at its deadline that waits for an equal one, not in the queue; `cancel` ends that."""
        if call.deadline_ns is not None:
            self._watch(call, call.deadline_ns)

    def withdraw(self, call: Call) -> bool:
        """Take a call out of the queue that another is computed for; whether it was there."""
        return self._line.remove(call)

    def cancel(self, call: Call) -> None:
        """Forget a call that is over; what is being computed is computed in vain."""
        if call.deadline_ns is not None:
            self._deadlines.discard(call, call.deadline_ns)
        self._line.remove(call)

    def close(self, until_ns: int) -> list[Call]:
        """End the instances' threads, waiting for them until then.

        Returns:
            The calls that nothing became of.
        """
        for timer in (self._timer, self._alarm):
            if timer is not None:
                timer.cancel()
        working = list(self._instances.working)
        self._instances.close(until_ns)
        left = [*self._line, *self._singly, *(call for instance in working for call in instance.calls)]
        for call in list(self._line):
            self._line.remove(call)
        self._singly.clear()
        return [call for call in left if not call.is_over]

    def _assess(self, call: Call) -> Admission:
        """Admission with all that is known of the load; what needs a deadline is looked up only for one."""
        line, lane = self._line, call.lane
        limit, queued_rows = self._deployment.max_queued_rows, line.rows
        rate = self._drained_rows_per_s(call)
        time_left_ns = wait_ns = compute_ns = None
        if call.deadline_ns is not None:
            now_ns = self._clock.now_ns()
            time_left_ns = call.deadline_ns - now_ns
            wait_ns = self._expected_wait_ns(line.rows_ahead(lane), rate, now_ns)
            compute_ns = self._compute_time.expected_ns(call.request.elements)
        lane_limit = self._lane_limits[lane] if self._lane_limits else None
        if lane_limit is not None and has_room(rows=call.rows, queued_rows=queued_rows, max_queued_rows=limit):
            limit, queued_rows = lane_limit, line.lane_rows(lane)
        return admit(
            rows=call.rows,
            queued_rows=queued_rows,
            max_queued_rows=limit,
            drained_rows_per_s=rate,
            time_left_ns=time_left_ns,
            expected_wait_ns=wait_ns,
            expected_compute_ns=compute_ns,
        )

    def _expected_wait_ns(self, rows_ahead: int, rate: float | None, now_ns: int) -> float | None:
        free_in_ns = self._instances.free_in_ns(now_ns)
        return expected_wait_ns(rows_ahead, free_in_ns=free_in_ns, drained_rows_per_s=rate)

    def _drained_rows_per_s(self, call: Call) -> float | None:
        """The best rate that was measured, so that nobody is refused for an estimate that was made when idle."""
        rate = self._compute_time.best_elements_per_s()
        if rate is None or not call.request.elements:
            return None
        return len(self._instances.working) * rate * call.rows / call.request.elements

    def _due_ns(self, call: Call) -> int:
        due_ns = call.queued_ns + self._max_delay_ns
        if call.deadline_ns is None:
            return due_ns
        compute_ns = self._compute_time.expected_ns(call.request.elements) or 0
        # Company is worth less than the answer: half of what is left is for waiting, at most.
        return min(due_ns, call.queued_ns + max(0, call.deadline_ns - call.queued_ns - round(compute_ns)) // 2)

    def _flush_soon(self) -> None:
        if self._idle and not self._is_flush_due and (self._line.rows or self._singly):
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        self._look(self._clock.now_ns())

    def _look(self, now_ns: int) -> None:
        if self._alarm_ns is not None and self._alarm_ns <= now_ns:
            self._end_overdue(now_ns)  # a loop that was kept busy comes late to its timers
        until_ns = now_ns + INLINE_LIMIT_NS
        while self._idle and (self._line.rows or self._singly):
            calls = self._next_batch(now_ns)
            if not calls:
                return
            expected_ns = self._compute_time.expected_ns(sum([call.request.elements for call in calls]))
            instance = self._idle.pop()
            if not (self._may_inline and is_inline(expected_ns, instances=1)):
                self._submit(instance, calls, expected_ns)
                continue
            computed = instance.compute(calls)
            self._idle.append(instance)
            self._finish(calls, computed)
            if computed.ended_ns > until_ns:
                self._flush_soon()  # whatever else the loop has to do gets its turn first
                return

    def _next_batch(self, now_ns: int) -> list[Call]:
        """The batch to compute now; without one, the timer is set to when there may be."""
        while self._singly:
            call = self._singly.popleft()
            if not call.is_over:
                return [call]
        if not self._line.rows:
            return []
        calls, look_again_ns = self._line.take(idle_instances=len(self._idle), now_ns=now_ns)
        if look_again_ns is not None:
            self._look_at(look_again_ns, now_ns)
        return calls

    def _look_at(self, moment_ns: int, now_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # The loop's timers tick in whole ms. Rounding down and taking the delay for over when the timer fires
        # shortens the wait by less than a tick; rounding up would break `max_delay_ns`, looking again would spin.
        delay_ms = (moment_ns - now_ns) // 1_000_000
        self._timer = self._loop.call_later(delay_ms / 1e3, self._look_when_due, moment_ns)

    def _look_when_due(self, moment_ns: int) -> None:
        self._timer = None
        self._look(max(moment_ns, self._clock.now_ns()))

    def _submit(self, instance: Instance, calls: list[Call], expected_ns: float | None) -> None:
        now_ns = self._clock.now_ns()
        limit_ns = stall_limit_ns(expected_ns, limit_ns=self._deployment.stall_limit_ns)
        instance.idle_at_ns = now_ns + round(expected_ns or 0)
        instance.stalled_at_ns = now_ns + limit_ns
        self._watch(instance, instance.stalled_at_ns)
        instance.submit(calls)

    def _finish_threaded(self, instance: Instance, calls: list[Call], computed: Computed) -> None:
        instance.calls = ()
        if instance.is_given_up:
            self._instances.take_back(instance)  # its calls were told long ago
            return
        self._deadlines.discard(instance, instance.stalled_at_ns)
        self._idle.append(instance)
        self._finish(calls, computed)
        self._flush_soon()

    def _finish(self, calls: list[Call], computed: Computed) -> None:
        if computed.error is None:
            self._compute_time.observe(computed.elements, computed.ended_ns - computed.began_ns)
        elif len(calls) > 1:
            self._singly.extend(call for call in calls if not call.is_over)
            self._flush_soon()
            return
        for call in calls:
            if call.deadline_ns is not None:
                self._deadlines.discard(call, call.deadline_ns)
        self._receiver.deliver(calls, computed)

    def _watch(self, item: Call | Instance, moment_ns: int) -> None:
        self._deadlines.add(item, moment_ns)
        if self._alarm_ns is None or moment_ns < self._alarm_ns:
            self._set_alarm(moment_ns)

    def _set_alarm(self, moment_ns: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_ns = moment_ns
        # Rounded up to the timer's whole ms: nobody's time is over before it is.
        delay_ms = max(1, -(-(moment_ns - self._clock.now_ns()) // 1_000_000))
        self._alarm = self._loop.call_later(delay_ms / 1e3, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_ns = None
        self._end_overdue(self._clock.now_ns())

    def _end_overdue(self, now_ns: int) -> None:
        for item in self._deadlines.pop_due(now_ns):
            if isinstance(item, Instance):
                self._give_up(item)
            elif not item.is_over:
                self._receiver.expire(item, is_queued=self._line.remove(item))
        next_ns = self._deadlines.next_ns()
        if next_ns is not None:
            self._set_alarm(next_ns)

    def _give_up(self, instance: Instance) -> None:
        calls, seconds = instance.calls, (instance.stalled_at_ns - instance.idle_at_ns) / 1e9
        _LOG.error(
            "an instance hangs with %d requests, %.3g s longer than it should, and is given up", len(calls), seconds
        )
        self._instances.give_up(instance)
        self._may_inline = False  # a model that hung once may do it again, and then not on the loop
        for call in calls:
            self._lose(call, f"the model did not end within {seconds:.3g} s more than it should")
        if self._instances.is_hopeless:
            for call in [*self._line, *self._singly]:
                self._line.remove(call)
                self._lose(call, NOBODY_WORKS)
            self._singly.clear()

    def _lose(self, call: Call, reason: str) -> None:
        if call.deadline_ns is not None:
            self._deadlines.discard(call, call.deadline_ns)
        if not call.is_over:
            self._receiver.lose(call, reason)


NOBODY_WORKS = "every instance of the model hangs"
_ADMITTED = Admission(None, 0)
