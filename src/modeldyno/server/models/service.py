"""One served model: decode, queue, compute, encode. It knows no transport."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from modeldyno.clock import Clock
from modeldyno.policies.admission import Admission, Obstacle
from modeldyno.policies.batching import lane_of
from modeldyno.policies.caching import check_caching
from modeldyno.policies.padding import PaddingPlan
from modeldyno.protocols import Session, Tensors
from modeldyno.records.deployment import Deployment
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.records.signature import DATATYPES, Signature
from modeldyno.server.caching.answers import AnswerCache, Entry
from modeldyno.server.caching.flights import Flights
from modeldyno.server.caching.question import Questions
from modeldyno.server.caching.shared import SharedAnswers, Store
from modeldyno.server.call import NO_MEMORY, Answer, Call, Computed, Refusal, Reply, ServerTimes, decode_or_refuse
from modeldyno.server.loop import Loop
from modeldyno.server.metrics.model_counts import ModelCounts
from modeldyno.server.metrics.totals import Outcome
from modeldyno.server.models.batcher import NOBODY_WORKS, Batcher
from modeldyno.server.models.instances import OpenSession
from modeldyno.server.models.merging import own_outputs
from modeldyno.server.models.soundness import Soundness
from modeldyno.server.served import Surroundings
from modeldyno.server.tally import Tally
from modeldyno.server.visit import Visit
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_client import encode_infer_request
from modeldyno.wire.v2_model_config import model_config
from modeldyno.wire.v2_request import InferRequest, InferRequestDecoder
from modeldyno.wire.v2_response import InferBody, InferResponseEncoder
from modeldyno.wire.v2_tensors import Buffer

_LOG = logging.getLogger("modeldyno.server")


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model with its open sessions, one an instance. Whoever opened the sessions closes them."""

    name: str
    version: str
    platform: str
    """In the protocol's words, such as `onnx_onnxv1`; informs clients only."""
    signature: Signature
    sessions: Sequence[Session]
    deployment: Deployment
    digest: str = ""
    """Of the artifact, which tells answers of one file from those of another."""
    open_session: OpenSession | None = None
    """Opens one more in place of one that hangs, on any thread; the server closes it. None: there is no replacement."""
    probe: Tensors | None = None
    """Inputs that the model is known to answer: asked of it when its batches fail. None: there are none."""
    labels: tuple[str, ...] = ()
    """Of its classes in the order of the scores; empty where they have none but their numbers."""

    def start(self, surroundings: Surroundings) -> "ModelService":
        """See `modeldyno.server.served.Served`."""
        around = surroundings
        counts = around.metrics.counts_of(self.name, self.version)
        return ModelService(
            self, loop=around.loop, clock=around.clock, tally=around.tally, counts=counts, store=around.store
        )


class ModelService:
    """Answers inference requests for one model.

    Args:
        model: with its open sessions.
        loop: of the server.
        clock: of the server.
        tally: of the server; of a pipeline for its members.
        counts: of this model; None: of its own, which nobody asks for.
        store: where several servers keep answers together, if they do.
        encodes: whether answers have bodies; else they have `outputs` only.

    Raises:
        UsageError: the deployment contradicts itself or does not fit the signature.
    """

    def __init__(
        self,
        model: ServedModel,
        *,
        loop: Loop,
        clock: Clock,
        tally: Tally,
        counts: ModelCounts | None = None,
        store: Store | None = None,
        encodes: bool = True,
    ) -> None:
        signature, batching = model.signature, model.deployment.batching
        self.model = model
        self._clock = clock
        self._tally = tally
        self._counts = counts or ModelCounts(clock)
        self._is_delayed = batching.max_delay_ns > 0
        self._idle_since_ns = 0
        """When an instance was last seen to fall idle."""
        self._decoder = InferRequestDecoder(signature)
        self._encoder = InferResponseEncoder(model.name, model.version, signature, model.labels) if encodes else None
        self._is_batched = signature.has_batch_dimension
        self._expected = [
            (spec.name, np.dtype(DATATYPES[spec.datatype]), len(spec.shape), _fixed_sizes(spec.shape))
            for spec in signature.outputs
        ]
        self._plan = PaddingPlan(signature, batching) if batching.buckets else None
        self._timeouts_ns = [
            model.deployment.timeout_ns if lane.timeout_ns is None else lane.timeout_ns for lane in batching.lanes
        ] or [model.deployment.timeout_ns]
        self._has_lanes = bool(batching.lanes)
        self._batcher = Batcher(
            model.sessions,
            model.deployment,
            merges=self._is_batched,
            plan=self._plan,
            open_session=model.open_session,
            loop=loop,
            clock=clock,
            receiver=self,
        )
        self._soundness = Soundness(
            model.name,
            None if model.probe is None else partial(self._sample, model.probe),
            ask=self._batcher.ask,
            withdraw=self._batcher.withdraw,
            pulses=self._batcher.pulses,
            succeeded_ns=lambda: self._idle_since_ns,
            loop=loop,
            clock=clock,
        )
        check_caching(model.deployment.cache)
        self._flights = self._new_flights(store) if model.deployment.cache.max_bytes else None
        self._outputs = [spec.name for spec in signature.outputs]

    def _new_flights(self, store: Store | None) -> Flights:
        model, shared = self.model, None
        if store is not None:
            shared = SharedAnswers(
                store,
                (model.name, model.version),
                model.signature,
                ttl_ns=model.deployment.cache.ttl_ns,
                clock=self._clock,
                counts=self._counts,
            )
        return Flights(
            Questions((model.name, model.version, model.digest), model.signature),
            AnswerCache(model.deployment.cache),
            queue=self._batcher,
            host=self,
            clock=self._clock,
            max_following_rows=model.deployment.max_queued_rows,
            shared=shared,
        )

    def _sample(self, probe: Tensors) -> InferRequest:
        return self._decoder.decode(*encode_infer_request(probe, self.model.signature))

    @property
    def trouble(self) -> str | None:
        """Why the model is not ready; None when it is."""
        return self._soundness.trouble

    @property
    def is_able(self) -> bool:
        """Whether there is no trouble."""
        return self.trouble is None

    @property
    def queued_calls(self) -> int:
        """Accepted requests that wait for an instance; counted when asked."""
        return self._batcher.queued_calls

    @property
    def in_progress(self) -> int:
        """Accepted requests that have not ended, and cancelled ones that are still computed; counted when asked."""
        waiting = 0 if self._flights is None else sum(1 for _ in self._flights.waiting())
        return self._batcher.in_progress + waiting

    def infer(
        self,
        body: Buffer,
        header_length: int | None,
        *,
        started_ns: int,
        reply: Reply,
        deadline_ns: int | None = None,
        visit: Visit | None = None,
    ) -> Call | None:
        """Answer the HTTP request in `body`; `accept` says the rest."""
        request = decode_or_refuse(self._decoder, body, header_length)
        if isinstance(request, Refusal):
            self._refuse(request, reply)
            return None
        return self.accept(request, started_ns=started_ns, reply=reply, deadline_ns=deadline_ns, visit=visit)

    def accept(
        self,
        request: InferRequest,
        *,
        started_ns: int,
        reply: Reply,
        deadline_ns: int | None = None,
        visit: Visit | None = None,
        tenant: str = "",
    ) -> Call | None:
        """Answer a request that fits the signature, by calling `reply` once, now or later.

        Args:
            request: decoded by whoever took it.
            started_ns: when its first byte came.
            reply: called with the answer, or with why there is none.
            deadline_ns: when the client gives up; the request's own timeout and the server's may come before.
            visit: whose it is, where keys are asked for or requests are written down.
            tenant: whose it is, where somebody else has asked the visit already.

        Returns:
            The call when it was accepted, for `cancel`; None when it was refused, or answered from the cache.
        """
        if visit is not None:
            limited = visit.reserve(request.rows)
            if limited is not None:
                self._refuse(limited, reply)
                return None
        call = Call(
            request,
            reply,
            started_ns=started_ns,
            queued_ns=self._clock.now_ns(),
            deadline_ns=deadline_ns,
            tenant=tenant if visit is None else visit.tenant,
        )
        if self._has_lanes:
            batching = self.model.deployment.batching
            call.lane = lane_of(request.priority, lanes=len(batching.lanes), default_priority=batching.default_priority)
        timeout_ns = self._timeouts_ns[call.lane]
        if timeout_ns is not None or request.timeout_us is not None:
            call.deadline_ns = _earliest(call, timeout_ns)
        looked_ns = None
        if self._flights is not None:
            if self._flights.take(call):
                self._tally.accepted += 1
                self._counts.accepted += 1
                return None if call.is_over else call
            looked_ns = self._clock.now_ns() - call.queued_ns
        admission = self._batcher.offer(call)
        if admission is None or admission.obstacle is not None:
            self._refuse(self._refusal(call, admission), reply)
            return None
        self._tally.accepted += 1
        self._counts.accepted += 1
        if looked_ns is not None:
            self._counts.count_miss(looked_ns)
            if call.flight is not None:
                call.flight.begin()
        return call

    def cancel(self, call: Call) -> None:
        """Nobody waits for the answer any more; `reply` will not be called."""
        if not call.is_over:
            call.is_over = True
            self._tally.cancelled += 1
            self._counts.count_end("cancelled", call.started_ns)
            self._batcher.cancel(call)
            if call.flight is not None:
                call.flight.leave(call)

    def config(self) -> dict[str, Any]:
        """How the model is served, in Triton's words: `modeldyno.wire.v2_model_config`."""
        model = self.model
        return model_config(
            model.name,
            platform=model.platform,
            signature=model.signature,
            deployment=model.deployment,
            caches=self._flights is not None,
        )

    def statistics(self) -> ModelStatistics:
        """What became of the requests so far, and how long they took."""
        return self._counts.statistics(self.model.name, self.model.version)

    def member_statistics(self) -> Sequence[ModelStatistics]:
        """See `modeldyno.server.served.Service`: a single model has no members."""
        return ()

    def close(self, until_ns: int, reason: str = "") -> None:
        """End the instances' threads, waiting for them until then; what is left then is lost.

        Args:
            until_ns: on the clock.
            reason: what the clients are told; empty where there is nobody left to tell.
        """
        self._soundness.close()
        waiting = () if self._flights is None else tuple(self._flights.waiting())
        for call in (*self._batcher.close(until_ns), *waiting):
            if call.is_over:
                continue
            if reason:
                self.lose(call, reason)
                continue
            call.is_over = True
            self._tally.lost += 1
            self._counts.count_end("lost", call.started_ns)

    def deliver(self, calls: Sequence[Call], computed: Computed) -> None:
        """See `modeldyno.server.models.batcher.Receiver`."""
        if computed.error is not None:
            if not self._soundness.note_failure(calls[0], computed.ended_ns):
                self._fail_batch(calls, computed.error)
            return
        rows = sum([call.rows for call in calls])
        problem = self._find_defect(computed.outputs, rows)
        if problem:
            if not self._soundness.note_failure(calls[0], computed.ended_ns):
                _LOG.error("model %r: %s", self.model.name, problem)
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
        self._idle_since_ns = computed.ended_ns

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
        refusal = self._refusal(call, admission)
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

    def _refuse(self, refusal: Refusal, reply: Reply) -> None:
        self._tally.refused += 1
        self._counts.count_refusal(refusal.status)
        reply(refusal)

    def _refusal(self, call: Call, admission: Admission | None) -> Refusal:
        if admission is None:
            return Refusal(503, NOBODY_WORKS, 1)
        if admission.obstacle is Obstacle.EXPIRED:
            return Refusal(504, "the deadline had passed before the request was there")
        if admission.obstacle is Obstacle.LATE:
            left_ms = ((call.deadline_ns or 0) - call.queued_ns) / 1e6
            reason = f"what waits already would take longer than the {left_ms:.3f} ms until the deadline"
        else:
            lanes, limit = self.model.deployment.batching.lanes, self.model.deployment.max_queued_rows
            own_limit = lanes[call.lane].max_queued_rows if lanes else None
            reason = f"the queue of {limit} rows is full; try again later"
            if own_limit is not None:
                reason = f"the queue of {limit} rows, {own_limit} of this priority, is full; try again later"
        return Refusal(503, reason, admission.retry_after_s)

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

    def _answer_safely(self, call: Call, outputs: Tensors, computed: Computed, hit: "_Hit | None" = None) -> None:
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
            _LOG.exception("model %r: an answer could not be given", self.model.name)
            self._fail([call], Refusal(500, "a fault of the server; its log says more"))
        if flight is not None:
            flight.land(outputs, computed)

    def _answer(self, call: Call, outputs: Tensors, computed: Computed, hit: "_Hit | None") -> None:
        body = _NO_BODY if self._encoder is None else self._encoder.encode(call.request, outputs)
        encoded_ns = self._clock.now_ns()
        times = ServerTimes(
            call.queued_ns - call.started_ns,
            computed.began_ns - call.queued_ns,
            computed.ended_ns - computed.began_ns,
            encoded_ns - computed.ended_ns,
            max(0, computed.picked_ns - max(call.queued_ns, self._idle_since_ns))
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
        _LOG.error("model %r raised on a batch of %d requests", self.model.name, len(calls), exc_info=error)
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
            _LOG.exception("model %r: a refusal could not be given", self.model.name)

    def _find_defect(self, outputs: Tensors, rows: int) -> str | None:
        """What is wrong with the outputs of a batch; an answer split wrongly would be somebody else's."""
        for name, dtype, rank, fixed in self._expected:
            array = outputs.get(name) if isinstance(outputs, dict) else None
            if not isinstance(array, np.ndarray):
                return f"the model gave no output {name!r}"
            if array.dtype != dtype:
                return f"the model's output {name!r} is {array.dtype}, not {dtype} as its signature says"
            shape = array.shape
            if self._is_batched and (not shape or shape[0] != rows):
                return f"the model's output {name!r} has shape {list(shape)} for a batch of {rows} rows"
            if len(shape) != rank or any(shape[axis] != size for axis, size in fixed):
                return f"the model's output {name!r} has shape {list(shape)}, not that of its signature"
        return None


class _Hit(NamedTuple):
    """That a request was answered with what was computed for an equal one."""

    saved_ns: int
    was_kept: bool
    """In the cache; else it waited for the other."""


_NO_BODY = InferBody(b"", None)


def _fixed_sizes(shape: tuple[int | str, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((axis, size) for axis, size in enumerate(shape) if isinstance(size, int))


def _earliest(call: Call, timeout_ns: int | None) -> int | None:
    """The first of the client's deadline, the request's own timeout and the server's."""
    own_us = call.request.timeout_us
    moments_ns = [
        call.deadline_ns,
        None if timeout_ns is None else call.started_ns + timeout_ns,
        None if own_us is None else call.started_ns + own_us * 1000,
    ]
    return min((moment_ns for moment_ns in moments_ns if moment_ns is not None), default=None)
