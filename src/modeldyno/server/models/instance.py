"""A session, and the thread that may run it."""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from modeldyno.clock import Clock
from modeldyno.policies.padding import PaddingPlan
from modeldyno.protocols import Session
from modeldyno.server.call import Call, Computed
from modeldyno.server.loop import Loop
from modeldyno.server.models.merging import merge

Done = Callable[["Instance", list[Call], Computed], None]


class Instance:
    """Computes one batch at a time, where it is called or on its own thread."""

    def __init__(
        self,
        session: Session,
        *,
        name: str,
        loop: Loop,
        clock: Clock,
        done: Done,
        plan: PaddingPlan | None = None,
    ) -> None:
        self.session = session
        self.calls: Sequence[Call] = ()
        """What it computes on its thread now."""
        self.idle_at_ns = 0
        """When it should be done with that; 0 when that is not known."""
        self.stalled_at_ns = 0
        """When it is to be given up, should it still compute that."""
        self.is_given_up = False
        self._loop = loop
        self._clock = clock
        self._done = done
        self._plan = plan
        self._batches: SimpleQueue[list[Call] | None] = SimpleQueue()
        # A daemon: a model that never returns must not keep a drained server from ending.
        self._computer = threading.Thread(target=self._work, name=name, daemon=True)
        self._computer.start()

    def compute(self, calls: list[Call]) -> Computed:
        """Merge the calls' inputs and run the session; an error of the model is a result like another."""
        picked_ns = began_ns = self._clock.now_ns()
        try:
            if len(calls) == 1:
                request = calls[0].request
                return Computed(
                    self.session.run(request.inputs), None, began_ns, self._clock.now_ns(), began_ns, request.elements
                )
            merged = merge([call.request for call in calls], self._plan)
            began_ns = self._clock.now_ns()
            outputs = self.session.run(merged.inputs)
        except BaseException as problem:  # noqa: BLE001 - its clients are told; a panic of compiled code is no Exception
            return Computed({}, problem, began_ns, self._clock.now_ns())
        return Computed(
            outputs, None, began_ns, self._clock.now_ns(), picked_ns, merged.elements, merged.padding_elements
        )

    def submit(self, calls: list[Call]) -> None:
        """Compute on the thread; `done` is called on the loop."""
        self.calls = calls
        self._batches.put(calls)

    def close(self, until_ns: int) -> None:
        """End the thread after the batch it computes; wait for it until then."""
        self._batches.put(None)
        self._computer.join(max(0, until_ns - self._clock.now_ns()) / 1e9)

    def _work(self) -> None:
        while (calls := self._batches.get()) is not None:
            computed = self.compute(calls)
            try:
                self._loop.call_soon_threadsafe(self._done, self, calls, computed)
            except RuntimeError:
                return  # the loop is closed: the server stopped waiting, and has counted these calls as lost
            del calls, computed  # or their tensors would be held until the next batch
