"""One served pipeline: decode once, go through the graph, encode once. Its members are not reachable from outside."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modeldyno.processing.graph import PlannedPipeline
from modeldyno.processing.steps import Array
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.records.pipeline import Node
from modeldyno.records.signature import Signature
from modeldyno.server.call import NO_MEMORY, Answer, Call, Refusal, Reply, ServerTimes, decode_or_refuse
from modeldyno.server.deadline import earliest_ns
from modeldyno.server.metrics.totals import Outcome
from modeldyno.server.models.service import ServedModel
from modeldyno.server.pipelines.journey import Journey
from modeldyno.server.pipelines.member import PipelineMember
from modeldyno.server.pipelines.processing import Processor
from modeldyno.server.served import Surroundings
from modeldyno.server.tally import Tally
from modeldyno.server.visit import Visit
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_decoder import InferRequestDecoder
from modeldyno.wire.v2_model_config import pipeline_config
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_response import InferBody, InferResponseEncoder
from modeldyno.wire.v2_tensors import Buffer

_LOG = logging.getLogger("modeldyno.server")


@dataclass(frozen=True, kw_only=True)
class ServedPipeline:
    """A pipeline with the open sessions of its members. Whoever opened them closes them."""

    name: str
    version: str
    graph: Node
    plan: PlannedPipeline
    """Of the graph, for the signatures of the members."""
    members: Mapping[str, ServedModel]
    """By their names in the graph."""
    timeout_ns: int | None = None
    """From a request's first byte to its answer; the members' own timeouts are for their part."""
    platform: str = "modeldyno_pipeline"

    @property
    def signature(self) -> Signature:
        """See `modeldyno.server.plane.Described`."""
        return self.plan.signature

    def start(self, surroundings: Surroundings) -> "PipelineService":
        """See `modeldyno.server.served.Served`."""
        return PipelineService(self, surroundings)


class PipelineService:
    """A `modeldyno.server.served.Service`.

    Args:
        model: the pipeline.
        surroundings: of the server.

    Raises:
        UsageError: the deployment of a member contradicts itself.
    """

    def __init__(self, model: ServedPipeline, surroundings: Surroundings) -> None:
        around = surroundings
        self.model = model
        self._loop = around.loop
        self._clock = around.clock
        self._tally = around.tally
        self._counts = around.metrics.counts_of(model.name, model.version)
        self._decoder = InferRequestDecoder(model.signature)
        self._encoder = InferResponseEncoder(model.name, model.version, model.signature)
        self._processor = Processor(around.loop, around.clock)
        self._member_tally = Tally()
        self._members = {
            name: PipelineMember(
                name,
                member,
                pipeline=model.name,
                version=model.version,
                surroundings=around,
                tally=self._member_tally,
            )
            for name, member in model.members.items()
        }
        self._journeys: dict[Call, Journey] = {}

    @property
    def trouble(self) -> str | None:
        """Why it is not ready: the first member that is not; None when all are."""
        for name, member in self._members.items():
            if member.service.trouble is not None:
                return f"{name!r}: {member.service.trouble}"
        return None

    @property
    def is_able(self) -> bool:
        """Whether there is no trouble."""
        return self.trouble is None

    @property
    def queued_calls(self) -> int:
        """Questions to members that wait for an instance; counted when asked."""
        return sum(member.service.queued_calls for member in self._members.values())

    @property
    def in_progress(self) -> int:
        """Accepted requests that have not ended, or what members still compute of cancelled ones."""
        return max(len(self._journeys), sum(member.service.in_progress for member in self._members.values()))

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
        """Answer the HTTP request in `body`; see `modeldyno.server.served.Service`."""
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
    ) -> Call | None:
        """Answer a request that fits the signature; see `modeldyno.server.models.service.ModelService.accept`.

        It is accepted when the first members that it comes to accept it: a full queue there refuses it.
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
            deadline_ns=earliest_ns(request, started_ns, deadline_ns, self.model.timeout_ns),
            tenant="" if visit is None else visit.tenant,
        )
        journey = Journey(
            call,
            self.model.plan.begin(request.inputs),
            members=self._members,
            processor=self._processor,
            loop=self._loop,
            ended=self,
        )
        journey.begin()
        if journey.refusal is not None:
            self._refuse(journey.refusal, reply)
            return None
        self._tally.accepted += 1
        self._counts.accepted += 1
        if call.is_over:
            return None
        self._journeys[call] = journey
        return call

    def cancel(self, call: Call) -> None:
        """Nobody waits for the answer any more; `reply` will not be called."""
        journey = self._journeys.pop(call, None)
        if journey is not None:
            journey.stop()
            call.is_over = True
            self._tally.cancelled += 1
            self._counts.count_end("cancelled", call.started_ns)

    def arrive(self, journey: Journey, outputs: dict[str, Array]) -> None:
        """See `modeldyno.server.pipelines.journey.Ended`."""
        call, now_ns = journey.call, self._clock.now_ns()
        self._journeys.pop(call, None)
        if call.deadline_ns is not None and now_ns >= call.deadline_ns:
            waited_ms = (now_ns - call.started_ns) / 1e6
            self._end(call, Refusal(504, f"the deadline passed after {waited_ms:.3f} ms, at the end"), "expired")
            return
        try:
            body = self._encoder.encode(call.request, outputs)
        except WireError as problem:
            self._end(call, Refusal(problem.status, problem.message), "failed")
        except MemoryError:
            self._end(call, NO_MEMORY, "failed")
        except Exception:  # noqa: BLE001 - it is logged, and told to the one it concerns
            _LOG.exception("pipeline %r: an answer could not be given", self.model.name)
            self._end(call, Refusal(500, "a fault of the server; its log says more"), "failed")
        else:
            self._answer(journey, body, now_ns)

    def _answer(self, journey: Journey, body: InferBody, arrived_ns: int) -> None:
        call, encoded_ns = journey.call, self._clock.now_ns()
        path = journey.main
        first_ask_ns = arrived_ns if journey.first_ask_ns is None else journey.first_ask_ns
        preprocess_ns = first_ask_ns - call.started_ns
        postprocess_ns = encoded_ns - first_ask_ns - path.queue_ns - path.inference_ns
        times = ServerTimes(preprocess_ns, path.queue_ns, path.inference_ns, postprocess_ns)
        call.is_over = True
        self._tally.answered += 1
        try:
            call.reply(Answer(body, times))
        except Exception:  # noqa: BLE001 - it is logged; a journey must not come back for it
            _LOG.exception("pipeline %r: an answer could not be handed over", self.model.name)
        finally:
            self._counts.count_journey(
                times,
                call.rows,
                write_ns=self._clock.now_ns() - encoded_ns,
                preprocess_ns=first_ask_ns - call.queued_ns,
                postprocess_ns=postprocess_ns - (encoded_ns - arrived_ns),
            )
            computed_ns = encoded_ns - postprocess_ns
            self._counts.count_batch(
                call.rows,
                input_ns=preprocess_ns,
                began_ns=computed_ns - path.inference_ns,
                ended_ns=computed_ns,
                elements=call.request.elements,
            )

    def give_up(self, journey: Journey, refusal: Refusal) -> None:
        """See `modeldyno.server.pipelines.journey.Ended`."""
        if self._journeys.pop(journey.call, None) is not None:  # else it has just begun, and `accept` tells
            self._end(journey.call, refusal, "expired" if refusal.status == 504 else "failed")

    def config(self) -> dict[str, Any]:
        """How it is served, in Triton's words."""
        model = self.model
        rows = [one.deployment.batching.max_rows for one in model.members.values()]
        return pipeline_config(
            model.name, platform=model.platform, signature=model.signature, graph=model.graph, max_rows=min(rows)
        )

    def statistics(self) -> ModelStatistics:
        """What became of the requests; as for Triton's ensembles, the times are those of the members on the way."""
        return self._counts.statistics(self.model.name, self.model.version)

    def member_statistics(self) -> Sequence[ModelStatistics]:
        """What became of the questions to each member."""
        return [member.statistics() for member in self._members.values()]

    def close(self, until_ns: int, reason: str = "") -> None:
        """End the members, waiting for their threads until then; what is left then is lost."""
        for call, journey in list(self._journeys.items()):
            journey.stop()
            if reason:
                self._end(call, Refusal(503, reason, 1), "lost")
            else:
                call.is_over = True
                self._tally.lost += 1
                self._counts.count_end("lost", call.started_ns)
        self._journeys.clear()
        self._processor.close(until_ns)
        for member in self._members.values():
            member.service.close(until_ns)
        unaccounted = self._member_tally.account().unaccounted
        if unaccounted:
            _LOG.error("a defect of the server: it is not known what became of %d questions to members", unaccounted)

    def _refuse(self, refusal: Refusal, reply: Reply) -> None:
        self._tally.refused += 1
        self._counts.count_refusal(refusal.status)
        reply(refusal)

    def _end(self, call: Call, refusal: Refusal, outcome: Outcome) -> None:
        call.is_over = True
        setattr(self._tally, outcome, getattr(self._tally, outcome) + 1)
        self._counts.count_end(outcome, call.started_ns)
        try:
            call.reply(refusal)
        except Exception:  # noqa: BLE001 - it is logged; nobody else is concerned
            _LOG.exception("pipeline %r: a refusal could not be given", self.model.name)
