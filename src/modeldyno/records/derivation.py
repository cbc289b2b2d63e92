"""What was made of a model by converting or compressing it, held against the model as it came."""

from typing import Literal

from modeldyno.records.anatomy import GraphCost
from modeldyno.records.artifact import Model
from modeldyno.records.base import Estimate, Record
from modeldyno.records.deployment import RuntimeName
from modeldyno.records.environment import Environment
from modeldyno.records.search import Assessed, Refusal


class DerivedSpeed(Record, frozen=True, kw_only=True):
    """Calls of one size, in turns with the model as it came; one thread each."""

    rows: int
    original_ns: Estimate
    """A call of the model as it came; median of blocks."""
    time_ns: Estimate
    """A call of what was made of it."""
    ratio: Estimate
    """How many times as fast it is."""


class Derived(Record, frozen=True, kw_only=True):
    """One artifact, and how it compares with the model as it came."""

    assessed: Assessed
    """Its size, its parity, its quality and the change of it."""
    runtime: RuntimeName
    """What it was opened in."""
    cost: GraphCost | None = None
    """Of one row; None where the operations of its graph are not counted."""
    speeds: tuple[DerivedSpeed, ...] = ()
    why: str = ""
    """Why it is not faster; empty when it is."""


class Derivation(Record, frozen=True, kw_only=True):
    """What `dyno convert --json` and `dyno compress --json` print."""

    schema: Literal["modeldyno.derivation/1"] = "modeldyno.derivation/1"
    tool_version: str
    derived_at: str
    environment: Environment
    model: Model
    data: str | None
    """What the rows are, in words; None: they were made up, and nothing is known about quality."""
    rows: int
    labelled: bool
    original: Derived
    made: tuple[Derived, ...]
    refused: tuple[Refusal, ...]
    """What could not be made, or fails an objective."""
    out: str
    """The file or directory that holds what was made."""
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """What was written into the directory `out`, relative to it, this record not among it."""
