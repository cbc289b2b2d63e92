"""The record of a search as it grows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from modeldyno.clock import Clock
from modeldyno.records.search import Search


@dataclass(slots=True)
class Ledger:
    """The record of the search as it grows; every change is saved."""

    search: Search
    save: Callable[[Search], None]
    clock: Clock

    def note(self, stage: str | None = None, **changes: Any) -> None:
        """Change fields; with `stage`, also mark that stage as done."""
        if stage is not None:
            changes["measured_at"] = {**self.search.measured_at, stage: self.clock.wall_time()}
        self.search = msgspec.structs.replace(self.search, **changes)
        self.save(self.search)

    def has(self, stage: str) -> bool:
        """Whether a stage was done, now or in an earlier session."""
        return stage in self.search.measured_at
