"""One model of a pipeline: it is asked with tensors and answers with tensors, and batches as any model does."""

from dataclasses import replace

from modeldyno.protocols import Tensors
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.server.call import Call, Reply
from modeldyno.server.models.service import ModelService, ServedModel
from modeldyno.server.served import Surroundings
from modeldyno.server.tally import Tally
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_wishes import OutputWish


class PipelineMember:
    """Asks the service of a member.

    Args:
        name: in the graph.
        model: with its open sessions.
        pipeline: name of the pipeline; the member is counted as `pipeline/name`.
        version: of the pipeline.
        surroundings: of the server.
        tally: of all members together; that of the server counts the pipeline's requests.
    """

    def __init__(
        self, name: str, model: ServedModel, *, pipeline: str, version: str, surroundings: Surroundings, tally: Tally
    ) -> None:
        around = surroundings
        self.name = name
        self._clock = around.clock
        counted = replace(model, name=f"{pipeline}/{name}", version=version)
        counts = around.metrics.counts_of(counted.name, version)
        self.service = ModelService(
            counted,
            loop=around.loop,
            clock=around.clock,
            tally=tally,
            counts=counts,
            store=around.store,
            encodes=False,
        )
        counts.count_queued = lambda: self.service.queued_calls
        signature = model.signature
        self._inputs = [spec.name for spec in signature.inputs]
        self._is_batched = signature.has_batch_dimension
        self._wishes = tuple(OutputWish(spec.name, binary=True) for spec in signature.outputs)

    def now_ns(self) -> int:
        """On the server's clock."""
        return self._clock.now_ns()

    def ask(self, tensors: Tensors, whole: Call, reply: Reply) -> Call | None:
        """Ask for all outputs.

        Args:
            tensors: its inputs.
            whole: the request to the pipeline: until when, how urgent, and whose it is.
            reply: called with the answer, or with why there is none; before this returns when it is refused.

        Returns:
            The call, for `cancel`; None when it was refused, or answered from the cache.
        """
        arrays = [tensors[name] for name in self._inputs]
        request = InferRequest(
            dict(zip(self._inputs, arrays, strict=True)),
            arrays[0].shape[0] if self._is_batched else 1,
            sum(array.size for array in arrays),
            tuple(array.shape[1:] if self._is_batched else array.shape for array in arrays),
            self._wishes,
            None,
            priority=whole.request.priority,
        )
        return self.service.accept(
            request,
            started_ns=self._clock.now_ns(),
            reply=reply,
            deadline_ns=whole.deadline_ns,
            tenant=whole.tenant,
        )

    def cancel(self, call: Call) -> None:
        """Nobody waits for the answer any more."""
        self.service.cancel(call)

    def statistics(self) -> ModelStatistics:
        """What became of what it was asked."""
        return self.service.statistics()
