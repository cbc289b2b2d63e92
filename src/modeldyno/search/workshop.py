"""What the search asks for and does not do itself."""

from collections.abc import Callable, Sequence
from typing import Protocol

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.deployment import Deployment
from modeldyno.records.search import Assessed, Finalist, Refusal
from modeldyno.records.speed import SpeedPoint


class Workshop(Protocol):
    """Does what the search asks for. Every method may be cut short by KeyboardInterrupt."""

    def make_artifacts(self) -> tuple[list[Assessed], list[Refusal]]:
        """The original and everything made from it, assessed; and what could not be made, with the reason."""
        ...

    def deployments(self, assessed: Sequence[Assessed]) -> list[Deployment]:
        """The deployments worth racing, the reference first."""
        ...

    def race(
        self,
        deployments: Sequence[Deployment],
        *,
        deadline_ns: int,
        longest_call_ns: float | None,
        on_points: Callable[[tuple[SpeedPoint, ...]], None],
    ) -> tuple[tuple[SpeedPoint, ...], list[Refusal]]:
        """Measure them against each other; `on_points` gets the standings after each round."""
        ...

    def dissect(self, points: Sequence[SpeedPoint], *, deadline_ns: int) -> tuple[Anatomy, ...]:
        """Where the time of a call of each of these points goes."""
        ...

    def prove(self, point: SpeedPoint, deployment: Deployment, *, duration_ns: int) -> Finalist:
        """Serve a deployment in a process of its own and put it under the asked load for so long.

        `point` is its speed in process; the deployment may have a cache, which that does not know of.
        """
        ...
