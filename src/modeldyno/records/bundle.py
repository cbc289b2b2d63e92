"""A deployment as a directory that can be served, and what was proven of it."""

from typing import Literal

from modeldyno.records.artifact import Artifact, Model, Task
from modeldyno.records.base import Estimate, Record
from modeldyno.records.deployment import Deployment
from modeldyno.records.environment import Environment
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.run import Summary
from modeldyno.records.signature import Signature
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import Workload


class Bundle(Record, frozen=True, kw_only=True):
    """The document `bundle.json`."""

    schema: Literal["modeldyno.bundle/1"] = "modeldyno.bundle/1"
    tool_version: str
    created_at: str
    name: str
    """The model's name on the server."""
    version: str = "1"
    task: Task
    signature: Signature
    deployment: Deployment
    artifact: Artifact
    """Its `path` is relative to the bundle."""
    origin: Model
    """The model as it came: the start of the provenance."""
    files: dict[str, str]
    """Every other file of the bundle, by relative path, to its `sha256:` digest."""
    build_cpu_flags: tuple[str, ...]
    """Flags of the machine that built it: an int8 file can answer differently elsewhere."""


class Sample(Record, frozen=True, kw_only=True):
    """One request with the answer the bundle must give; tensors as nested lists, in signature order."""

    inputs: dict[str, list]  # type: ignore[type-arg]
    outputs: dict[str, list]  # type: ignore[type-arg]


class Samples(Record, frozen=True, kw_only=True):
    """The document `samples.json`."""

    schema: Literal["modeldyno.samples/1"] = "modeldyno.samples/1"
    samples: tuple[Sample, ...]
    relative_tolerance: float
    absolute_tolerance: float


class Proof(Record, frozen=True, kw_only=True):
    """A run over HTTP against the real server."""

    requested: Workload
    summary: Summary
    verdict: MeasurementVerdict
    server_cpu_ns_per_request: float | None
    server_peak_memory_bytes: int | None


class Datasheet(Record, frozen=True, kw_only=True):
    """The document `datasheet.json`: what was proven of a bundle, and where."""

    schema: Literal["modeldyno.datasheet/1"] = "modeldyno.datasheet/1"
    tool_version: str
    created_at: str
    environment: Environment
    items_per_s: Estimate | None
    """In process, at the deployment's batch size."""
    speedup: Estimate | None
    """Over the model as it came."""
    quality: Quality | None
    quality_change: QualityChange | None
    proof: Proof | None
    """None when the search was stopped before the proof: then nothing is claimed over the network."""
