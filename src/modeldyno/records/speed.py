"""In-process inference speed."""

from typing import Literal

from modeldyno.records.anatomy import Anatomy, ColdStart, GraphCost, MemoryUse
from modeldyno.records.artifact import Model
from modeldyno.records.base import Estimate, Record
from modeldyno.records.deployment import Deployment
from modeldyno.records.environment import Environment
from modeldyno.records.peaks import Peaks

Comparative = Literal["best", "tie", "slower", "clearly_slower"]


class SpeedPoint(Record, frozen=True, kw_only=True):
    """One deployment at one batch size, measured in process."""

    deployment: Deployment
    batch_rows: int
    """Rows in every call."""
    items_per_s: Estimate
    """Rows over processing time, all instances together."""
    batch_time_ns: Estimate
    """Time of one call: the mean within a block, averaged over the blocks."""
    blocks: tuple[float, ...]
    """Items per second of each interleaved block, in order: the raw data of the interval."""
    calls: int
    stopped_early: bool = False
    """Dropped from the race because it was clearly slower than the best."""
    standing: Comparative = "slower"
    """Against the fastest: `tie` when the paired interval of their ratio cannot exclude equality."""
    ratio_to_best: Estimate | None = None
    """This point's items per second over the fastest one's, from paired blocks."""


class Profile(Record, frozen=True, kw_only=True):
    """The document that `dyno profile --json` prints."""

    schema: Literal["modeldyno.profile/1"] = "modeldyno.profile/1"
    tool_version: str
    started_at: str
    environment: Environment
    model: Model
    state: Literal["complete", "interrupted"]
    points: tuple[SpeedPoint, ...]
    refused: tuple[str, ...] = ()
    """What was left out, and why."""
    bundle: str | None = None
    """The bundle whose artifact `model` is; None when a model file was profiled."""
    data: str = ""
    """Of what the batches were made, in words; empty: made up from the signature."""
    input_bytes_per_item: int | None = None
    """Of one row's inputs; items per second times this is the inference speed in bytes per second."""
    output_bytes_per_item: int | None = None
    cost: GraphCost | None = None
    """Of one row by the graph; None where there is no ONNX graph."""
    peaks: Peaks | None = None
    """Of this machine; None when they were not measured."""
    anatomies: tuple[Anatomy, ...] = ()
    """Of a call at the smallest batch, and at the fastest."""
    cold_start: ColdStart | None = None
    memory: MemoryUse | None = None
