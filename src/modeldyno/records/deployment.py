"""What the tuner chooses, the server obeys and the bundle stores."""

from typing import Literal

import msgspec

from modeldyno.records.base import Record
from modeldyno.units import format_size

RuntimeName = Literal[
    "onnxruntime", "python", "scikit-learn", "xgboost", "lightgbm", "openvino", "pytorch", "compiled-trees"
]


Device = Literal["cpu", "cuda"]


class SessionSettings(Record, frozen=True, kw_only=True):
    """How one session executes. What a runtime does not know of is refused by it, never ignored."""

    threads: int = 1
    """Compute threads inside one session."""
    precision: Literal["fp32", "fp16", "bf16"] | None = None
    """What a runtime computes floats in that has the choice; None: as the artifact stores them, and never less."""
    device: Device = "cpu"
    mode: str = ""
    """Of several ways in which a runtime can execute an artifact, such as `compiled`; empty: its ordinary one."""

    @property
    def label(self) -> str:
        """What is not as usual, in a few words; mostly nothing."""
        return " ".join(part for part in (self.mode, self.precision, self.device.replace("cpu", "")) if part)


class Lane(Record, frozen=True, kw_only=True):
    """One level of priority: requests of a lane wait until no higher one has any."""

    max_queued_rows: int | None = None
    """Rows of this lane that may wait; None: as many as the queue holds."""
    timeout_ns: int | None = None
    """From a request's first byte to its answer; None: as the deployment says. A request may only ask for less."""


class Buckets(Record, frozen=True, kw_only=True):
    """Sizes up to which a variable dimension is padded, so that requests of unlike sizes can be one batch."""

    dimension: str
    """Its name in the signature, such as `sequence`; not that of the batch."""
    sizes: tuple[int, ...]
    """Ascending. Requests between the same two sizes are merged; a larger one is never padded."""


class Batching(Record, frozen=True, kw_only=True):
    """How the server forms batches. Rows are counted, not requests."""

    max_rows: int = 1
    """Largest batch handed to a session; 1 switches batching off."""
    max_delay_ns: int = 0
    """How long an idle instance may wait for company; 0 is work-conserving: take what is there."""
    preferred_rows: tuple[int, ...] = ()
    """Batches of so many rows are taken at once, the largest that can be formed; none: only full ones are."""
    lanes: tuple[Lane, ...] = ()
    """Levels of priority, the highest first; none: one for all."""
    default_priority: int = 1
    """The lane (the first is 1) of requests that ask for none, or for one that is not there."""
    buckets: tuple[Buckets, ...] = ()
    """Variable dimensions that may be padded; the server does it only where the padding kit finds the same answers."""
    pad_value: float = 0
    """What inputs are padded with."""


class Cache(Record, frozen=True, kw_only=True):
    """Answers of a model that are given again when the same is asked, by the same key holder."""

    max_bytes: int = 0
    """Of requests and answers together, in each process that serves; 0 switches it off."""
    ttl_ns: int | None = None
    """How long an answer may be given again; None: as long as there is room."""


class Deployment(Record, frozen=True, kw_only=True):
    """Artifact, runtime and settings: one way of serving a model."""

    artifact: str
    """Name of the artifact."""
    runtime: RuntimeName
    session: SessionSettings = SessionSettings()
    instances: int = 1
    """Sessions that may compute at the same time."""
    batching: Batching = Batching()
    max_queued_rows: int = 4096
    """Rows that may wait; a request beyond that is refused with 503 and Retry-After."""
    timeout_ns: int | None = None
    """From a request's first byte to its answer; then it gets 504. A request may only ask for less."""
    stall_limit_ns: int = 60 * 10**9
    """An instance that computes a batch for longer than this, and than ten times what it should take, is given up."""
    cache: Cache = Cache()

    @property
    def label(self) -> str:
        """One line for tables and logs."""
        shape = f"{self.session.threads} × {self.instances}"
        batch = "batch 1" if self.batching.max_rows == 1 else f"batch ≤ {self.batching.max_rows}"
        runtime = f"{self.runtime} {self.session.label}".rstrip()
        cache = f", cache {format_size(self.cache.max_bytes)}" if self.cache.max_bytes else ""
        return f"{runtime} {self.artifact}, {shape}, {batch}{cache}"


class BatchingChanges(Record, frozen=True, kw_only=True):
    """What an operator sets otherwise than a bundle says; None: as the bundle says."""

    max_delay_ns: int | None = None
    preferred_rows: tuple[int, ...] | None = None
    lanes: tuple[Lane, ...] | None = None
    default_priority: int | None = None
    buckets: tuple[Buckets, ...] | None = None
    pad_value: float | None = None
    timeout_ns: int | None = None
    max_queued_rows: int | None = None
    cache_bytes: int | None = None
    cache_ttl_ns: int | None = None

    def apply(self, deployment: Deployment) -> Deployment:
        """The deployment with these changes."""
        given = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        own = {name: given.pop(name) for name in ("timeout_ns", "max_queued_rows") if name in given}
        kept = {"max_bytes": given.pop("cache_bytes", None), "ttl_ns": given.pop("cache_ttl_ns", None)}
        cache = msgspec.structs.replace(
            deployment.cache, **{name: value for name, value in kept.items() if value is not None}
        )
        batching = msgspec.structs.replace(deployment.batching, **given)
        return msgspec.structs.replace(deployment, batching=batching, cache=cache, **own)
