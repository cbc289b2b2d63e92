"""All served models by name and version, and whether they are ready. It knows no transport."""

from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import quote

from modeldyno.clock import Clock
from modeldyno.policies.versions import order_of
from modeldyno.server.caching.shared import Store
from modeldyno.server.log_switch import LogSwitch
from modeldyno.server.loop import Loop
from modeldyno.server.metrics.metrics import Metrics
from modeldyno.server.metrics.slots import MetricsSlots
from modeldyno.server.served import Served, Service, Surroundings
from modeldyno.server.tally import Tally


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
