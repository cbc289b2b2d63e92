"""A service whose every step is decided by the test: the loop turns, the clock moves and batches end on order."""

from collections.abc import Callable
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Cache, Deployment
from modeldyno.records.signature import Signature
from modeldyno.server.caching.shared import Store
from modeldyno.server.call import Answer, Call, Refusal
from modeldyno.server.models.instance import Instance
from modeldyno.server.models.service import ModelService, ServedModel
from modeldyno.server.tally import Tally
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.manual_loop import ManualLoop
from modeldyno.testing.sessions import FunctionSession, sum_rows, sum_signature
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_wishes import OutputWish

Outputs = dict[str, NDArray[np.generic]]
Compute = Callable[[Tensors], Outputs]
_PATIENCE_S = 20.0
MS = 1_000_000


class GatedSession(FunctionSession):
    """A session that ends each batch only when an order comes, as the order says."""

    def __init__(self, signature: Signature, compute: Compute) -> None:
        super().__init__(signature, self._obey)
        self.orders: SimpleQueue[Compute | None] = SimpleQueue()
        self._entered: SimpleQueue[None] = SimpleQueue()
        self._known: object = None
        self._usual = compute

    def wait_entered(self, batch: object) -> None:
        """Wait until it computes this batch, which its instance was handed; at once if it was waited for before."""
        if batch is not self._known:
            self._entered.get(timeout=_PATIENCE_S)
            self._known = batch

    def _obey(self, inputs: Tensors) -> Outputs:
        self._entered.put(None)
        return (self.orders.get(timeout=_PATIENCE_S) or self._usual)(inputs)


class Asked:
    """A request and all that its client was told."""

    def __init__(self, request: InferRequest) -> None:
        self.request = request
        self.call: Call | None = None
        self.replies: list[Answer | Refusal] = []
        self.was_cancelled = False

    @property
    def status(self) -> int | None:
        """200, the status of the refusal, or None when nobody told it anything."""
        if not self.replies:
            return None
        (reply,) = self.replies
        return reply.status if isinstance(reply, Refusal) else 200

    @property
    def values(self) -> list[float]:
        """Of its only output, FP32."""
        (reply,) = self.replies
        if isinstance(reply, Refusal):
            raise AssertionError(reply)  # noqa: TRY004 - a failed expectation of the test, not a wrong argument
        content: list[float] = np.frombuffer(reply.body.body[reply.body.header_length :], np.float32).tolist()
        return content


class GatedService:
    """A service of gated sessions."""

    def __init__(
        self,
        deployment: Deployment | None = None,
        *,
        instances: int = 1,
        signature: Signature | None = None,
        compute: Compute = sum_rows,
        opens_more: bool = False,
        store: Store | None = None,
        probe: Tensors | None = None,
    ) -> None:
        self.clock = ManualClock(10**9)
        self.loop = ManualLoop(self.clock)
        self.tally = Tally()
        self.signature = signature or sum_signature()
        self._compute = compute
        self.sessions: list[GatedSession] = []
        first = [self.open_session() for _ in range(instances)]
        model = ServedModel(
            name="gated",
            version="1",
            platform="fake",
            signature=self.signature,
            sessions=first,
            deployment=deployment or gated_deployment(),
            open_session=self.open_session if opens_more else None,
            probe=probe,
        )
        self.service = ModelService(model, loop=self.loop, clock=self.clock, tally=self.tally, store=store)
        self.asked: list[Asked] = []

    def open_session(self) -> GatedSession:
        """One session more."""
        session = GatedSession(self.signature, self._compute)
        self.sessions.append(session)
        return session

    def ask(
        self,
        rows: NDArray[np.generic],
        *,
        priority: int = 0,
        timeout_us: int | None = None,
        deadline_ns: int | None = None,
    ) -> Asked:
        """Send a request with the input `x`; the loop turns afterwards."""
        outputs = tuple(OutputWish(spec.name, binary=True) for spec in self.signature.outputs)
        asked = Asked(
            InferRequest(
                {"x": rows},
                len(rows),
                rows.size,
                (rows.shape[1:],),
                outputs,
                None,
                priority=priority,
                timeout_us=timeout_us,
            )
        )
        self.asked.append(asked)
        asked.call = self.service.accept(
            asked.request, started_ns=self.clock.now_ns(), reply=asked.replies.append, deadline_ns=deadline_ns
        )
        self.settle()
        return asked

    def cancel(self, asked: Asked) -> None:
        """Its client goes away."""
        if asked.call is not None:
            asked.was_cancelled = asked.was_cancelled or not asked.call.is_over
            self.service.cancel(asked.call)

    def end_batch(self, session: GatedSession, order: Compute | None = None, *, after_ns: int = MS) -> None:
        """Let a session that computes end, as usual or as the order says."""
        self.advance_ns(after_ns)
        session.orders.put(order)
        self.wait_for_thread()

    def wait_for_thread(self) -> None:
        """Wait until a batch ends that was ordered to, or until a session is open."""
        self.loop.wait_for_thread()
        self.settle()

    def settle(self) -> None:
        """Let the loop turn until every instance that has a batch computes it: only then may the clock move."""
        self.loop.run()
        for instance in self.working():
            if instance.calls and isinstance(instance.session, GatedSession):
                instance.session.wait_entered(instance.calls)

    def advance_ns(self, duration_ns: int) -> None:
        """Let time pass."""
        self.settle()
        self.loop.advance_ns(duration_ns)
        self.settle()

    def working(self) -> list[Instance]:
        """The instances that were not given up."""
        return self.service._batcher._instances.working  # noqa: SLF001 - the test's view of the inside

    def close(self) -> None:
        """End the threads."""
        for session in self.sessions:
            session.orders.put(None)
        self.service.close(self.clock.now_ns() + 60 * 10**9)


def gated_deployment(
    batching: Batching | None = None,
    *,
    instances: int = 1,
    max_queued_rows: int = 4096,
    timeout_ns: int | None = None,
    stall_limit_ns: int = 60 * 10**9,
    cache: Cache | None = None,
) -> Deployment:
    """A deployment for a `GatedService`."""
    return Deployment(
        artifact="gated",
        runtime="onnxruntime",
        instances=instances,
        batching=batching or Batching(max_rows=8),
        max_queued_rows=max_queued_rows,
        timeout_ns=timeout_ns,
        stall_limit_ns=stall_limit_ns,
        cache=cache or Cache(),
    )
