"""A deployment as a directory that can be served, and what was proven of it."""

from typing import Annotated, Literal

import msgspec

from modeldyno.records.artifact import Artifact, Model, Precision, Task
from modeldyno.records.base import Estimate, Record
from modeldyno.records.deployment import Deployment
from modeldyno.records.environment import Environment
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.run import Summary
from modeldyno.records.signature import Signature
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import Workload


class Encryption(Record, frozen=True, kw_only=True):
    """How files of a bundle are encrypted: each with a key of its own, derived by HKDF-SHA256 (RFC 5869)."""

    algorithm: Literal["AES-256-GCM"] = "AES-256-GCM"
    """A file is 12 bytes of nonce, the text, and 16 bytes of tag (NIST SP 800-38D)."""
    salt: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """Of the derivation, random, in hex."""
    key_check: str
    """Derived from the key too, in hex: tells a wrong key from a damaged file."""
    files: tuple[str, ...]
    """Which ones, by relative path."""


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
    encryption: Encryption | None = None
    """None when every file is plain. The digests of `files` are of what is on disk, that of `artifact` of its text."""


class BundleSignature(Record, frozen=True, kw_only=True):
    """The document `bundle.sig`: who vouches for `bundle.json`, and by its digests for every file."""

    schema: Literal["modeldyno.signature/1"] = "modeldyno.signature/1"
    algorithm: Literal["ed25519"] = "ed25519"
    public_key: str
    """Of the signer, 32 bytes in hex: to find the right one, not to be trusted."""
    signature: str
    """64 bytes in hex, over a line that names its purpose and the bytes of `bundle.json` (RFC 8032)."""


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
    answers: tuple[int | float | str, ...] = ()
    """The label or value that the bundle gave to the first rows of the data it was made with."""
    rows_digest: str = ""
    """Digest of all of those data, labels included."""


class Proof(Record, frozen=True, kw_only=True):
    """A run over HTTP against the real server."""

    requested: Workload
    summary: Summary
    verdict: MeasurementVerdict
    server_cpu_ns_per_request: float | None
    server_peak_memory_bytes: int | None
    cache_hits: int | None = None
    """Answers that the server gave from its cache, by its own statistics; None when they could not be read."""
    cache_misses: int | None = None
    repeated_fraction: float | None = None
    """As in `EffectiveWorkload`."""
    marked_after: int | None = None
    """Different rows that there were, where the load asked more different questions: the same rows were then asked
    under another parameter of the request. None where there were enough."""


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
    computed_in: Precision | None = None
    """As `Artifact.computed_in`: speed and quality depend on it, and on the processor's flags in `environment`."""
    calibration_digest: str = ""
    """As `Artifact.calibration_digest`."""
