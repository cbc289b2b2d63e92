"""A pipeline whose every step is decided by the test; see `modeldyno.testing.gated_service`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.processing.graph import plan_pipeline
from modeldyno.records.deployment import Deployment
from modeldyno.records.pipeline import Node
from modeldyno.records.signature import Signature
from modeldyno.server.call import Answer, Call
from modeldyno.server.metrics.metrics import Metrics
from modeldyno.server.models.instance import Instance
from modeldyno.server.models.service import ServedModel
from modeldyno.server.pipelines.service import PipelineService, ServedPipeline
from modeldyno.server.served import Surroundings
from modeldyno.server.tally import Tally
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.gated_service import MS, Asked, Compute, GatedSession, gated_deployment
from modeldyno.testing.manual_loop import ManualLoop
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_response import InferBody
from modeldyno.wire.v2_wishes import OutputWish


class GatedMember:
    """What a member is and how it is served."""

    def __init__(self, signature: Signature, compute: Compute, deployment: Deployment | None = None) -> None:
        self.signature = signature
        self.session = GatedSession(signature, compute)
        self.deployment = deployment or gated_deployment()


class GatedPipeline:
    """A service of gated members."""

    def __init__(self, graph: Node, members: Mapping[str, GatedMember], *, timeout_ns: int | None = None) -> None:
        self.clock = ManualClock(10**9)
        self.loop = ManualLoop(self.clock)
        self.tally = Tally()
        self.metrics = Metrics(loop=self.loop, clock=self.clock)
        self.members = members
        served = ServedPipeline(
            name="gated",
            version="1",
            graph=graph,
            plan=plan_pipeline(graph, {name: member.signature for name, member in members.items()}),
            members={name: self._served(name, member) for name, member in members.items()},
            timeout_ns=timeout_ns,
        )
        self.signature = served.signature
        self.service: PipelineService = served.start(Surroundings(self.loop, self.clock, self.tally, self.metrics))

    def _served(self, name: str, member: GatedMember) -> ServedModel:
        return ServedModel(
            name=name,
            version="1",
            platform="fake",
            signature=member.signature,
            sessions=[member.session],
            deployment=member.deployment,
        )

    def ask(
        self,
        rows: NDArray[np.generic],
        *,
        timeout_us: int | None = None,
        deadline_ns: int | None = None,
    ) -> Asked:
        """Send a request with the input `x`; the loop turns afterwards."""
        wishes = tuple(OutputWish(spec.name, binary=True) for spec in self.signature.outputs)
        asked = Asked(
            InferRequest({"x": rows}, len(rows), rows.size, (rows.shape[1:],), wishes, None, timeout_us=timeout_us)
        )
        asked.call = self.service.accept(
            asked.request, started_ns=self.clock.now_ns(), reply=asked.replies.append, deadline_ns=deadline_ns
        )
        self.settle()
        return asked

    def cancel(self, asked: Asked) -> None:
        """Its client goes away."""
        if isinstance(asked.call, Call):
            self.service.cancel(asked.call)
        self.settle()

    def end_batch(self, name: str, order: Compute | None = None, *, after_ns: int = MS) -> None:
        """Let a member that computes end, as usual or as the order says."""
        self.advance_ns(after_ns)
        self.members[name].session.orders.put(order)
        self.loop.wait_for_thread()
        self.settle()

    def is_computing(self, name: str) -> bool:
        """Whether a member has a batch."""
        return any(instance.calls for instance in self._working(name))

    def settle(self) -> None:
        """Let the loop turn until every member that has a batch computes it."""
        self.loop.run()
        for name, member in self.members.items():
            for instance in self._working(name):
                if instance.calls:
                    member.session.wait_entered(instance.calls)

    def _working(self, name: str) -> list[Instance]:
        return self.service._members[name].service._batcher._instances.working  # noqa: SLF001 - the test's view

    def advance_ns(self, duration_ns: int) -> None:
        """Let time pass."""
        self.settle()
        self.loop.advance_ns(duration_ns)
        self.settle()

    def close(self, reason: str = "") -> None:
        """End the threads."""
        for member in self.members.values():
            for _ in range(8):
                member.session.orders.put(None)
        self.service.close(self.clock.now_ns() + 60 * 10**9, reason)


def outputs_of(asked: Asked) -> dict[str, list[Any]]:
    """What a request was answered with, decoded from its binary body by the wishes' order."""
    import msgspec

    (reply,) = asked.replies
    if not isinstance(reply, Answer):
        raise AssertionError(reply)  # noqa: TRY004 - a failed expectation of the test, not a wrong argument
    body: InferBody = reply.body
    length = body.header_length or len(body.body)
    found, start = {}, length
    for tensor in msgspec.json.decode(body.body[:length])["outputs"]:
        size = tensor["parameters"]["binary_data_size"]
        dtype = {"FP32": "<f4", "INT32": "<i4", "INT64": "<i8"}[tensor["datatype"]]
        array = np.frombuffer(body.body, dtype, size // np.dtype(dtype).itemsize, start).reshape(tensor["shape"])
        found[tensor["name"]] = array.tolist()
        start += size
    return found
