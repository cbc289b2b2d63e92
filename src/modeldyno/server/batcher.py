"""Drives the batching, admission and placement policies with the real clock."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from modeldyno.clock import Clock
from modeldyno.policies.admission import Admission, admit
from modeldyno.policies.batching import choose_batch
from modeldyno.policies.placement import INLINE_LIMIT_NS, ComputeTime, is_inline
from modeldyno.protocols import Session
from modeldyno.records.deployment import Deployment
from modeldyno.server.call import Call
from modeldyno.server.instance import Computed, Handle, Instance, Loop

_WEIGHT = 0.1

Deliver: TypeAlias = Callable[[list[Call], Computed], None]


class Batcher:
    """Queues calls, forms batches, and hands each with its outcome to `deliver`, all on the loop's thread.

    It looks at the queue only when a call arrives, when an instance falls idle, or when the delay of the oldest
    call is over. Calls that arrive in one turn of the loop are seen together.
    """

    def __init__(
        self,
        sessions: Sequence[Session],
        deployment: Deployment,
        *,
        merges: bool,
        loop: Loop,
        clock: Clock,
        deliver: Deliver,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._deliver = deliver
        self._deployment = deployment
        self._max_rows = deployment.batching.max_rows if merges else 1
        self._max_delay_ns = deployment.batching.max_delay_ns if merges else 0
        self._instances = [
            Instance(session, name=f"instance-{index}", loop=loop, clock=clock, done=self._finish_threaded)
            for index, session in enumerate(sessions)
        ]
        self._idle = list(self._instances)
        self._queues: dict[object, deque[Call]] = {}
        self._queued_rows = 0
        self._compute_time = ComputeTime()
        self._ns_per_row: float | None = None
        self._is_flush_due = False
        self._timer: Handle | None = None

    def offer(self, call: Call) -> Admission:
        """Admit the call to the queue, or say when to come back."""
        request = call.request
        admission = admit(
            rows=request.rows,
            queued_rows=self._queued_rows,
            max_queued_rows=self._deployment.max_queued_rows,
            drained_rows_per_s=self._drained_rows_per_s(),
        )
        if admission.is_admitted:
            self._queued_rows += request.rows
            queue = self._queues.get(request.batch_key)
            if queue is None:
                queue = self._queues[request.batch_key] = deque()
            queue.append(call)
            self._flush_soon()
        return admission

    def cancel(self, call: Call) -> None:
        """Forget a call; one that is being computed is computed in vain."""
        call.is_cancelled = True
        queue = self._queues.get(call.request.batch_key)
        if queue is not None and call in queue:
            queue.remove(call)
            self._queued_rows -= call.request.rows
            if not queue:
                del self._queues[call.request.batch_key]

    def close(self, until_ns: int) -> None:
        """End the instances' threads, waiting for them until then."""
        if self._timer is not None:
            self._timer.cancel()
        for instance in self._instances:
            instance.close(until_ns)

    def _drained_rows_per_s(self) -> float | None:
        return len(self._instances) * 1e9 / self._ns_per_row if self._ns_per_row else None

    def _flush_soon(self) -> None:
        if self._idle and self._queues and not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        self._look(self._clock.now_ns())

    def _look(self, now_ns: int) -> None:
        until_ns = now_ns + INLINE_LIMIT_NS
        while self._idle and self._queues:
            calls = self._next_batch(now_ns)
            if not calls:
                return
            expected_ns = self._compute_time.expected_ns(_elements(calls))
            instance = self._idle.pop()
            if not is_inline(expected_ns, instances=len(self._instances)):
                instance.submit(calls)
                continue
            computed = instance.compute(calls)
            self._finish(instance, calls, computed)
            if computed.ended_ns > until_ns:
                self._flush_soon()  # whatever else the loop has to do gets its turn first
                return

    def _next_batch(self, now_ns: int) -> list[Call]:
        """The batch to compute now; without one, the timer is set to when there may be."""
        look_again_ns: int | None = None
        # Oldest first: the dictionary keeps the order in which queues began, not that of their present heads.
        keys = sorted(self._queues, key=self._head_ns) if len(self._queues) > 1 else list(self._queues)
        for key in keys:
            queue = self._queues[key]
            decision = choose_batch(
                (call.request.rows for call in queue),
                max_rows=self._max_rows,
                max_delay_ns=self._max_delay_ns,
                idle_instances=len(self._idle),
                oldest_arrival_ns=queue[0].queued_ns,
                now_ns=now_ns,
            )
            if decision.take:
                return self._take(key, decision.take)
            if decision.look_again_ns is not None:
                look_again_ns = min(decision.look_again_ns, look_again_ns or decision.look_again_ns)
        if look_again_ns is not None:
            self._look_at(look_again_ns, now_ns)
        return []

    def _head_ns(self, key: object) -> int:
        return self._queues[key][0].queued_ns

    def _take(self, key: object, count: int) -> list[Call]:
        queue = self._queues[key]
        calls = [queue.popleft() for _ in range(count)]
        if not queue:
            del self._queues[key]
        self._queued_rows -= _rows(calls)
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

    def _finish_threaded(self, instance: Instance, calls: list[Call], computed: Computed) -> None:
        self._finish(instance, calls, computed)
        self._flush_soon()

    def _finish(self, instance: Instance, calls: list[Call], computed: Computed) -> None:
        self._idle.append(instance)
        duration_ns = computed.ended_ns - computed.began_ns
        self._compute_time.observe(_elements(calls), duration_ns)
        ns_per_row = duration_ns / _rows(calls)
        known = self._ns_per_row
        self._ns_per_row = ns_per_row if known is None else known + _WEIGHT * (ns_per_row - known)
        self._deliver(calls, computed)


def _rows(calls: list[Call]) -> int:
    return calls[0].request.rows if len(calls) == 1 else sum(call.request.rows for call in calls)


def _elements(calls: list[Call]) -> int:
    return calls[0].request.elements if len(calls) == 1 else sum(call.request.elements for call in calls)
