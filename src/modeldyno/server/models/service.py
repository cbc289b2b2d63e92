"""One served model: what is asked of it, on the way into its queue. It knows no transport."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from modeldyno.clock import Clock
from modeldyno.policies.batching import lane_of
from modeldyno.policies.caching import check_caching
from modeldyno.policies.padding import PaddingPlan
from modeldyno.protocols import Session, Tensors
from modeldyno.records.deployment import Deployment
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.records.signature import Signature
from modeldyno.server.caching.answers import AnswerCache
from modeldyno.server.caching.flights import Flights
from modeldyno.server.caching.question import Questions
from modeldyno.server.caching.shared import SharedAnswers, Store
from modeldyno.server.call import Call, Refusal, Reply, decode_or_refuse
from modeldyno.server.deadline import earliest_ns
from modeldyno.server.loop import Loop
from modeldyno.server.metrics.model_counts import ModelCounts
from modeldyno.server.models.batcher import Batcher
from modeldyno.server.models.delivery import Delivery
from modeldyno.server.models.instances import OpenSession
from modeldyno.server.models.refusals import refusal_of
from modeldyno.server.models.soundness import Soundness
from modeldyno.server.served import Surroundings
from modeldyno.server.tally import Tally
from modeldyno.server.visit import Visit
from modeldyno.wire.v2_client import encode_infer_request
from modeldyno.wire.v2_decoder import InferRequestDecoder
from modeldyno.wire.v2_model_config import model_config
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_tensors import Buffer


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
        batching = model.deployment.batching
        check_caching(model.deployment.cache)
        self.model = model
        self._clock = clock
        self._tally = tally
        self._counts = counts or ModelCounts(clock)
        self._decoder = InferRequestDecoder(model.signature)
        self._timeouts_ns = [
            model.deployment.timeout_ns if lane.timeout_ns is None else lane.timeout_ns for lane in batching.lanes
        ] or [model.deployment.timeout_ns]
        self._has_lanes = bool(batching.lanes)
        plan = PaddingPlan(model.signature, batching) if batching.buckets else None
        self._delivery = Delivery(
            model,
            plan,
            clock=clock,
            tally=tally,
            counts=self._counts,
            encodes=encodes,
            note_failure=self._note_failure,
        )
        self._batcher = Batcher(
            model.sessions,
            model.deployment,
            merges=model.signature.has_batch_dimension,
            plan=plan,
            open_session=model.open_session,
            loop=loop,
            clock=clock,
            receiver=self._delivery,
        )
        self._soundness = self._watched(loop)
        self._flights = self._new_flights(store) if model.deployment.cache.max_bytes else None

    def _note_failure(self, call: Call, ended_ns: int) -> bool:
        # The soundness asks the batcher, which reports to the delivery, which tells the soundness: one comes last.
        return self._soundness.note_failure(call, ended_ns)

    def _watched(self, loop: Loop) -> Soundness:
        model, batcher = self.model, self._batcher
        return Soundness(
            model.name,
            None if model.probe is None else partial(self._sample, model.probe),
            ask=batcher.ask,
            withdraw=batcher.withdraw,
            pulses=batcher.pulses,
            succeeded_ns=lambda: self._delivery.idle_since_ns,
            loop=loop,
            clock=self._clock,
        )

    def _sample(self, probe: Tensors) -> InferRequest:
        return self._decoder.decode(*encode_infer_request(probe, self.model.signature))

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
            host=self._delivery,
            clock=self._clock,
            max_following_rows=model.deployment.max_queued_rows,
            shared=shared,
        )

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
            call.deadline_ns = earliest_ns(request, started_ns, deadline_ns, timeout_ns)
        looked_ns = None
        if self._flights is not None:
            if self._flights.take(call):
                self._tally.accepted += 1
                self._counts.accepted += 1
                return None if call.is_over else call
            looked_ns = self._clock.now_ns() - call.queued_ns
        admission = self._batcher.offer(call)
        if admission is None or admission.obstacle is not None:
            self._refuse(refusal_of(call, admission, self.model.deployment), reply)
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
                self._delivery.lose(call, reason)
                continue
            call.is_over = True
            self._tally.lost += 1
            self._counts.count_end("lost", call.started_ns)

    def _refuse(self, refusal: Refusal, reply: Reply) -> None:
        self._tally.refused += 1
        self._counts.count_refusal(refusal.status)
        reply(refusal)
