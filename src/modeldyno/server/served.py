"""What is served: the roles that models and pipelines play for the rest of the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from modeldyno.clock import Clock
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.records.signature import Signature
from modeldyno.server.caching.shared import Store
from modeldyno.server.call import Call, Reply
from modeldyno.server.loop import Loop
from modeldyno.server.metrics.metrics import Metrics
from modeldyno.server.tally import Tally
from modeldyno.server.visit import Visit
from modeldyno.wire.v2_tensors import Buffer


@dataclass(frozen=True)
class Surroundings:
    """What all services of a server share."""

    loop: Loop
    clock: Clock
    tally: Tally
    metrics: Metrics
    store: Store | None = None
    """Where answers are kept for other servers too; None: nowhere."""


class Described(Protocol):
    """What clients are told of a model."""

    @property
    def name(self) -> str:
        """In paths."""
        ...

    @property
    def version(self) -> str:
        """A number, for most clients."""
        ...

    @property
    def platform(self) -> str:
        """In the protocol's words."""
        ...

    @property
    def signature(self) -> Signature:
        """Its inputs and outputs."""
        ...


class Service(Protocol):
    """What answers for one version of one model."""

    @property
    def model(self) -> Described:
        """What clients are told of it."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why it is not ready; None when it is."""
        ...

    @property
    def is_able(self) -> bool:
        """Whether there is no trouble."""
        ...

    @property
    def queued_calls(self) -> int:
        """Accepted requests that wait; counted when asked."""
        ...

    @property
    def in_progress(self) -> int:
        """Accepted requests that have not ended, and cancelled ones that are still computed; counted when asked."""
        ...

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
        """Answer an HTTP request by calling `reply` once, now or later; the call, if it can be cancelled."""
        ...

    def cancel(self, call: Call) -> None:
        """Nobody waits for the answer any more."""
        ...

    def config(self) -> dict[str, Any]:
        """How the model is served, in Triton's words."""
        ...

    def statistics(self) -> ModelStatistics:
        """What became of the requests so far."""
        ...

    def member_statistics(self) -> Sequence[ModelStatistics]:
        """The same of the models that it is made of, which are not served by themselves."""
        ...

    def close(self, until_ns: int, reason: str = "") -> None:
        """End its threads, waiting for them until then. What is left then is lost; with a reason, clients are told."""
        ...


class Served(Protocol):
    """What can be put into the plane."""

    @property
    def name(self) -> str:
        """In paths."""
        ...

    @property
    def version(self) -> str:
        """A number, for most clients."""
        ...

    def start(self, surroundings: Surroundings) -> Service:
        """Begin to serve it, on the loop's thread.

        Raises:
            UsageError: its settings contradict one another.
        """
        ...
