"""All served models by name and version, and whether they are ready. It knows no transport."""

from collections.abc import Iterator, Sequence

from modeldyno.clock import Clock
from modeldyno.server.instance import Loop
from modeldyno.server.log_switch import LogSwitch
from modeldyno.server.metrics import Metrics
from modeldyno.server.metrics_slots import MetricsSlots
from modeldyno.server.service import ModelService, ServedModel
from modeldyno.server.tally import Tally


class Plane:
    """The models of one server."""

    def __init__(
        self, models: Sequence[ServedModel], *, loop: Loop, clock: Clock, slots: MetricsSlots | None = None
    ) -> None:
        self.tally = Tally()
        self.metrics = Metrics(loop=loop, clock=clock, slots=slots)
        self.log = LogSwitch()
        self.is_ready = True
        """Whether new requests are welcome."""
        self._services: dict[str, dict[str, ModelService]] = {}
        for model in models:
            counts = self.metrics.counts_of(model.name, model.version)
            service = ModelService(model, loop=loop, clock=clock, tally=self.tally, counts=counts)
            self._services.setdefault(model.name, {})[model.version] = service

    def __iter__(self) -> Iterator[ModelService]:
        return (service for versions in self._services.values() for service in versions.values())

    def find(self, name: str, version: str | None = None) -> ModelService | None:
        """The model of this name; without a version the highest, numbers by their value."""
        versions = self._services.get(name, {})
        return versions.get(version or max(versions, key=_order, default=""))

    def versions(self, name: str) -> list[str]:
        """The versions of a model, lowest first."""
        return sorted(self._services.get(name, {}), key=_order)

    def close(self, until_ns: int) -> None:
        """End all threads, waiting for them until then."""
        for service in self:
            service.close(until_ns)
        self.metrics.stop()
        self.log.close()


def _order(version: str) -> tuple[int, str]:
    return (int(version) if version.isdecimal() else -1, version)
