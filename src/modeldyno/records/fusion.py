"""A model with its processing in its graph."""

from typing import Literal

from modeldyno.records.base import Estimate, Record
from modeldyno.records.environment import Environment
from modeldyno.records.signature import Signature


class FusionSpeed(Record, frozen=True, kw_only=True):
    """Calls of one size, in turns."""

    rows: int
    apart_ns: Estimate
    """Operations, model, operations, one after the other; median of blocks."""
    fused_ns: Estimate
    ratio: Estimate
    """How many times as long they take apart."""


class Fusion(Record, frozen=True, kw_only=True):
    """What `dyno fuse --json` prints."""

    schema: Literal["modeldyno.fusion/1"] = "modeldyno.fusion/1"
    tool_version: str
    fused_at: str
    environment: Environment
    parts: tuple[str, ...]
    out: str
    digest: str
    """Of the file that was written."""
    operations: int
    """That became a part of the graph."""
    nodes: int
    """That were added for them."""
    signature: Signature
    rows: int
    """On which both were compared."""
    data: str
    largest_difference: float
    """Of any number that they gave; numbers that are labels or indices are the same in all rows."""
    speed: tuple[FusionSpeed, ...]
