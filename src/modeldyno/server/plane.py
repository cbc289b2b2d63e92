"""All served models by name and version, and whether they are ready. It knows no transport."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote

from modeldyno.clock import Clock
from modeldyno.policies.versions import order_of
from modeldyno.records.model_statistics import ModelStatistics
from modeldyno.records.signature import Signature
from modeldyno.server.cache_shared import Store
from modeldyno.server.call import Call, Reply
from modeldyno.server.instance import Loop
from modeldyno.server.log_switch import LogSwitch
from modeldyno.server.metrics import Metrics
from modeldyno.server.metrics_slots import MetricsSlots
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


class Plane:
    """The models of one server, which may change while it runs; all on the loop's thread."""

    def __init__(
        self,
        models: Sequence[Served],
        *,
        loop: Loop,
        clock: Clock,
        slots: MetricsSlots | None = None,
        store: Store | None = None,
    ) -> None:
        self.tally = Tally()
        self.metrics = Metrics(loop=loop, clock=clock, slots=slots)
        self.log = LogSwitch()
        self.is_ready = True
        """Whether new requests are welcome."""
        self.infer_targets: dict[bytes, Service] = {}
        """The paths that nearly all requests have, so that they are not taken apart each time. It stays the same
        dictionary, so that a router need not ask for it."""
        self._surroundings = Surroundings(loop, clock, self.tally, self.metrics, store)
        self._services: dict[str, dict[str, Service]] = {}
        self._left: set[str] = set()
        for model in models:
            self.put(model)

    def __iter__(self) -> Iterator[Service]:
        return (service for versions in self._services.values() for service in versions.values())

    def find(self, name: str, version: str | None = None) -> Service | None:
        """The model of this name; without a version the highest, numbers by their value."""
        versions = self._services.get(name, {})
        return versions.get(version or max(versions, key=order_of, default=""))

    def versions(self, name: str) -> list[str]:
        """The versions of a model, lowest first."""
        return sorted(self._services.get(name, {}), key=order_of)

    def has_left(self, name: str) -> bool:
        """Whether a model of this name was served and is no longer."""
        return name in self._left

    def start(self, served: Served) -> Service:
        """Begin to serve it, without putting it where requests find it.

        Raises:
            UsageError: its settings contradict one another.
        """
        return served.start(self._surroundings)

    def put(self, served: Served) -> Service:
        """Begin to serve one more version of a model.

        Raises:
            UsageError: its settings contradict one another.
        """
        service = self.start(served)
        others = [one for version, one in self._services.get(served.name, {}).items() if version != served.version]
        self.replace(served.name, [*others, service])
        return service

    def replace(self, name: str, services: Sequence[Service]) -> list[Service]:
        """Serve these versions of a model and no others from the next request on.

        Returns:
            Those that served it before and do not any more; whoever takes them drains and closes them.
        """
        before = list(self._services.pop(name, {}).values())
        if services:
            self._services[name] = {service.model.version: service for service in services}
            self._left.discard(name)
        elif before:
            self._left.add(name)
        for service in services:
            counts = self.metrics.counts_of(name, service.model.version)
            counts.count_queued = partial(_queued_calls, service)
        gone = [service for service in before if service not in services]
        for service in gone:
            if service.model.version not in self._services.get(name, {}):
                self.metrics.counts_of(name, service.model.version).count_queued = int
        self.infer_targets.clear()
        self.infer_targets.update({target: service for service in self for target in self._targets_of(service)})
        return gone

    def close(self, until_ns: int) -> None:
        """End all threads, waiting for them until then."""
        for service in self:
            service.close(until_ns)
        self.metrics.stop()
        self.log.close()

    def _targets_of(self, service: Service) -> list[bytes]:
        base = f"/v2/models/{quote(service.model.name, safe='')}"
        targets = [f"{base}/versions/{quote(service.model.version, safe='')}/infer"]
        if self.find(service.model.name) is service:
            targets.append(f"{base}/infer")
        return [target.encode() for target in targets]


def _queued_calls(service: Service) -> int:
    return service.queued_calls
