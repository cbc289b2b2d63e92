"""One served model: decode, queue, compute, encode. It knows no transport."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from modeldyno.clock import Clock
from modeldyno.protocols import Session, Tensors
from modeldyno.records.deployment import Deployment
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.records.signature import DATATYPES, Signature
from modeldyno.server.batcher import Batcher
from modeldyno.server.call import Answer, Call, Refusal, Reply, ServerTimes
from modeldyno.server.instance import Computed, Loop
from modeldyno.server.model_counts import ModelCounts
from modeldyno.server.tally import Tally
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_request import InferRequestDecoder
from modeldyno.wire.v2_response import InferResponseEncoder
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


class ModelService:
    """Answers inference requests for one model."""

    def __init__(self, model: ServedModel, *, loop: Loop, clock: Clock, tally: Tally) -> None:
        signature = model.signature
        self.model = model
        self._clock = clock
        self._tally = tally
        self._counts = ModelCounts(clock)
        self._decoder = InferRequestDecoder(signature)
        self._encoder = InferResponseEncoder(model.name, model.version, signature)
        self._dtypes = {spec.name: DATATYPES[spec.datatype] for spec in signature.outputs}
        self._is_batched = signature.has_batch_dimension
        self._batcher = Batcher(
            model.sessions,
            model.deployment,
            merges=self._is_batched,
            loop=loop,
            clock=clock,
            deliver=self._deliver,
        )

    def infer(self, body: Buffer, header_length: int | None, *, started_ns: int, reply: Reply) -> Call | None:
        """Answer the request in `body`, by calling `reply` once, now or later.

        Returns:
            The call when it was accepted, for `cancel`; None when it was refused.
        """
        try:
            request = self._decoder.decode(body, header_length)
        except WireError as problem:
            self._tally.refused += 1
            reply(Refusal(problem.status, problem.message))
            return None
        call = Call(request, reply, started_ns=started_ns, queued_ns=self._clock.now_ns())
        admission = self._batcher.offer(call)
        if not admission.is_admitted:
            self._tally.refused += 1
            limit = self.model.deployment.max_queued_rows
            reply(Refusal(503, f"the queue of {limit} rows is full; try again later", admission.retry_after_s))
            return None
        self._tally.accepted += 1
        return call

    def cancel(self, call: Call) -> None:
        """Nobody waits for the answer any more; `reply` will not be called."""
        if not call.is_cancelled:
            self._tally.cancelled += 1
            self._batcher.cancel(call)

    def statistics(self) -> ModelStatistics:
        """What became of the requests so far, and how long they took."""
        return self._counts.statistics(self.model.name, self.model.version)

    def close(self, until_ns: int) -> None:
        """End the instances' threads, waiting for them until then."""
        self._batcher.close(until_ns)

    def _deliver(self, calls: list[Call], computed: Computed) -> None:
        if computed.error is not None:
            _LOG.error(
                "model %r raised on a batch of %d requests", self.model.name, len(calls), exc_info=computed.error
            )
            self._fail(calls, f"the model failed: {type(computed.error).__name__}")
            return
        rows = sum(call.request.rows for call in calls)
        problem = self._find_defect(computed.outputs, rows)
        if problem:
            _LOG.error("model %r: %s", self.model.name, problem)
            self._fail(calls, problem)
            return
        start = 0
        for call in calls:
            stop = start + call.request.rows
            if not call.is_cancelled:
                outputs = computed.outputs
                if len(calls) > 1:
                    outputs = {wish.name: outputs[wish.name][start:stop] for wish in call.request.wishes}
                self._answer(call, outputs, computed)
            start = stop
        self._counts.count_batch(
            rows,
            input_ns=sum(call.queued_ns - call.started_ns for call in calls),
            began_ns=computed.began_ns,
            ended_ns=computed.ended_ns,
        )

    def _answer(self, call: Call, outputs: Tensors, computed: Computed) -> None:
        try:
            body = self._encoder.encode(call.request, outputs)
        except WireError as problem:
            self._count_failure(call)
            call.reply(Refusal(problem.status, problem.message))
            return
        times = ServerTimes(
            call.queued_ns - call.started_ns,
            computed.began_ns - call.queued_ns,
            computed.ended_ns - computed.began_ns,
            self._clock.now_ns() - computed.ended_ns,
        )
        self._tally.answered += 1
        self._counts.count_answer(times, call.request.rows)
        call.reply(Answer(body, times))

    def _fail(self, calls: list[Call], message: str) -> None:
        for call in calls:
            if not call.is_cancelled:
                self._count_failure(call)
                call.reply(Refusal(500, message))

    def _count_failure(self, call: Call) -> None:
        self._tally.failed += 1
        self._counts.count_failure(call.started_ns)

    def _find_defect(self, outputs: Tensors, rows: int) -> str | None:
        """What is wrong with the outputs of a batch; an answer split wrongly would be somebody else's."""
        for name, dtype in self._dtypes.items():
            array = outputs.get(name)
            if array is None:
                return f"the model gave no output {name!r}"
            if array.dtype != dtype:
                return f"the model's output {name!r} is {array.dtype}, not {dtype} as its signature says"
            if self._is_batched and (array.ndim == 0 or array.shape[0] != rows):
                return f"the model's output {name!r} has shape {list(array.shape)} for a batch of {rows} rows"
        return None
