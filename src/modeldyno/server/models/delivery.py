"""The way out of one served model: what was computed becomes answers, and what was not, refusals.

All of it happens on the loop's thread. The way in is `modeldyno.server.models.service`.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from modeldyno.clock import Clock
from modeldyno.policies.admission import Admission
from modeldyno.policies.padding import PaddingPlan
from modeldyno.protocols import Tensors
from modeldyno.server.caching.answers import Entry
from modeldyno.server.call import NO_MEMORY, Answer, Call, Computed, Refusal, ServerTimes
from modeldyno.server.metrics.model_counts import ModelCounts
from modeldyno.server.metrics.totals import Outcome
from modeldyno.server.models.expected_outputs import ExpectedOutputs
from modeldyno.server.models.merging import own_outputs
from modeldyno.server.models.refusals import refusal_of
from modeldyno.server.tally import Tally
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_response import InferBody, InferResponseEncoder

if TYPE_CHECKING:
    from modeldyno.server.models.service import ServedModel

_LOG = logging.getLogger("modeldyno.server")
_NO_BODY = InferBody(b"", None)


class _Hit(NamedTuple):
    """That a request was answered with what was computed for an equal one."""

    saved_ns: int
    was_kept: bool
    """In the cache; else it waited for the other."""


class Delivery:
    """Tells every accepted call once what became of it, and counts it: a batcher's receiver and the flights' host.

    Args:
        model: whose answers they are.
        plan: of its padding; None: there is none.
        clock: of the server.
        tally: of the server; of a pipeline for its members.
        counts: of this model.
        encodes: whether answers have bodies; else they have `outputs` only.
        note_failure: told of a call that was computed in vain, and when; whether it was the server's own.
    """

    def __init__(
        self,
        model: "ServedModel",
        plan: PaddingPlan | None,
        *,
        clock: Clock,
        tally: Tally,
        counts: ModelCounts,
        encodes: bool,
        note_failure: Callable[[Call, int], bool],
    ) -> None:
        signature = model.signature
        self._model = model
        self._plan = plan
        self._clock = clock
        self._tally = tally
        self._counts = counts
        self._note_failure = note_failure
        self._encoder = InferResponseEncoder(model.name, model.version, signature, model.labels) if encodes else None
        self._find_defect = ExpectedOutputs(signature).find_defect
        self._outputs = [spec.name for spec in signature.outputs]
        self._is_delayed = model.deployment.batching.max_delay_ns > 0
        self.idle_since_ns = 0
        """When an instance was last seen to fall idle."""

    def deliver(self, calls: Sequence[Call], computed: Computed) -> None:
        """See `modeldyno.server.models.batcher.Receiver`."""
        if computed.error is not None:
            if not self._note_failure(calls[0], computed.ended_ns):
                self._fail_batch(calls, computed.error)
            return
        rows = sum([call.rows for call in calls])
        problem = self._find_defect(computed.outputs, rows)
        if problem:
            if not self._note_failure(calls[0], computed.ended_ns):
                _LOG.error("model %r: %s", self._model.name, problem)
            self._fail(calls, Refusal(500, problem))
            return
        if len(calls) == 1:
            self._answer_safely(calls[0], computed.outputs, computed)
        else:
            self._share(calls, computed)
        self._counts.count_batch(
            rows,
            input_ns=sum([call.queued_ns - call.started_ns for call in calls]),
            began_ns=computed.began_ns,
            ended_ns=computed.ended_ns,
            elements=computed.elements,
            padding_elements=computed.padding_elements,
        )
        self.idle_since_ns = computed.ended_ns

    def expire(self, call: Call, *, is_queued: bool) -> None:
        """See `modeldyno.server.models.batcher.Receiver`."""
        self._tally.expired += 1
        waited_ms = (self._clock.now_ns() - call.started_ns) / 1e6
        where = "waiting for an instance" if is_queued else "being computed"
        if call.flight is not None and call.flight.is_waiting(call):
            where = "waiting for the answer to an equal one"
        self._end(call, Refusal(504, f"the deadline passed after {waited_ms:.3f} ms, the request {where}"), "expired")
        if call.flight is not None:
            call.flight.leave(call)

    def lose(self, call: Call, reason: str) -> None:
        """See `modeldyno.server.models.batcher.Receiver`."""
        self._tally.lost += 1
        self._end(call, Refusal(503, reason, 1), "lost")
        if call.flight is not None:
            for follower in call.flight.disband():
                if not follower.is_over:
                    self.lose(follower, reason)

    def answer_equal(self, call: Call, entry: Entry, *, ready_ns: int, was_kept: bool) -> None:
        """See `modeldyno.server.caching.flights.Host`."""
        hit = _Hit(entry.saved_ns, was_kept)
        self._answer_safely(call, entry.outputs, Computed(entry.outputs, None, ready_ns, ready_ns, ready_ns), hit)

    def turn_away(self, call: Call, admission: Admission | None) -> None:
        """See `modeldyno.server.caching.flights.Host`."""
        refusal = refusal_of(call, admission, self._model.deployment)
        if admission is None:
            self.lose(call, refusal.message)
        elif refusal.status == 504:
            self._tally.expired += 1
            self._end(call, refusal, "expired")
        else:
            self._fail([call], refusal)

    def note_miss(self, cache_ns: int) -> None:
        """See `modeldyno.server.caching.flights.Host`."""
        self._counts.count_miss(cache_ns)

    def note_keeping(self, cache_ns: int) -> None:
        """See `modeldyno.server.caching.flights.Host`."""
        self._counts.count_keeping(cache_ns)

    def _share(self, calls: Sequence[Call], computed: Computed) -> None:
        start = 0
        plan = self._plan if computed.padding_elements else None
        for call in calls:
            stop = start + call.rows
            if not call.is_over:
                names = None if call.flight is None else self._outputs
                outputs = own_outputs(computed.outputs, call.request, slice(start, stop), plan, names)
                self._answer_safely(call, outputs, computed)
            start = stop

    def _answer_safely(self, call: Call, outputs: Tensors, computed: Computed, hit: _Hit | None = None) -> None:
        """Whatever goes wrong with one answer must not keep the rest of its batch from theirs."""
        if call.is_over:
            return
        flight, call.flight = call.flight, None
        try:
            self._answer(call, outputs, computed, hit)
        except WireError as problem:
            self._fail([call], Refusal(problem.status, problem.message))
        except MemoryError:
            self._fail([call], NO_MEMORY)
        except Exception:  # noqa: BLE001 - it is logged, and told to the one it concerns
            _LOG.exception("model %r: an answer could not be given", self._model.name)
            self._fail([call], Refusal(500, "a fault of the server; its log says more"))
        if flight is not None:
            flight.land(outputs, computed)

    def _answer(self, call: Call, outputs: Tensors, computed: Computed, hit: _Hit | None) -> None:
        body = _NO_BODY if self._encoder is None else self._encoder.encode(call.request, outputs)
        encoded_ns = self._clock.now_ns()
        times = ServerTimes(
            call.queued_ns - call.started_ns,
            computed.began_ns - call.queued_ns,
            computed.ended_ns - computed.began_ns,
            encoded_ns - computed.ended_ns,
            max(0, computed.picked_ns - max(call.queued_ns, self.idle_since_ns))
            if self._is_delayed and hit is None
            else 0,
            computed.began_ns - computed.picked_ns,
        )
        call.is_over = True
        self._tally.answered += 1
        try:
            call.reply(Answer(body, times, outputs))
        finally:
            write_ns = self._clock.now_ns() - encoded_ns
            if hit is None:
                self._counts.count_answer(times, call.rows, write_ns)
            else:
                self._counts.count_hit(times, write_ns, was_kept=hit.was_kept, saved_ns=hit.saved_ns)

    def _fail_batch(self, calls: Sequence[Call], error: BaseException) -> None:
        _LOG.error("model %r raised on a batch of %d requests", self._model.name, len(calls), exc_info=error)
        if isinstance(error, MemoryError):
            self._fail(calls, NO_MEMORY)
        else:
            self._fail(calls, Refusal(500, f"the model failed: {type(error).__name__}"))

    def _fail(self, calls: Sequence[Call], refusal: Refusal) -> None:
        for call in calls:
            if not call.is_over:
                self._tally.failed += 1
                self._end(call, refusal, "failed")
                if call.flight is not None:
                    self._fail(call.flight.disband(), refusal)

    def _end(self, call: Call, refusal: Refusal, outcome: Outcome) -> None:
        """Tell that there is no answer; it was counted why."""
        call.is_over = True
        self._counts.count_end(outcome, call.started_ns)
        try:
            call.reply(refusal)
        except Exception:  # noqa: BLE001 - it is logged; the others of the batch are still to be told
            _LOG.exception("model %r: a refusal could not be given", self._model.name)
