"""What a bundle is, told without opening its model."""

from typing import Literal

from modeldyno.records.base import Record
from modeldyno.records.bundle import Bundle, Datasheet


class Inspection(Record, frozen=True, kw_only=True):
    """What `dyno inspect --json` prints of a bundle; of a model file it prints a `Model`."""

    schema: Literal["modeldyno.inspection/1"] = "modeldyno.inspection/1"
    path: str
    size_bytes: int
    """Of all its files."""
    bundle: Bundle
    datasheet: Datasheet | None
    """None when nothing was proven of it."""
    flags_lacking: tuple[str, ...]
    """Of the processor that it was made on, what this one has not."""
