"""What the tuner chooses, the server obeys and the bundle stores."""

from typing import Literal

from modeldyno.records.base import Record

RuntimeName = Literal["onnxruntime", "scikit-learn"]


class SessionSettings(Record, frozen=True, kw_only=True):
    """How one session executes."""

    threads: int = 1
    """Compute threads inside one session."""


class Batching(Record, frozen=True, kw_only=True):
    """How the server forms batches. Rows are counted, not requests."""

    max_rows: int = 1
    """Largest batch handed to a session; 1 switches batching off."""
    max_delay_ns: int = 0
    """How long an idle instance may wait for company; 0 is work-conserving: take what is there."""


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

    @property
    def label(self) -> str:
        """One line for tables and logs."""
        shape = f"{self.session.threads} × {self.instances}"
        batch = "batch 1" if self.batching.max_rows == 1 else f"batch ≤ {self.batching.max_rows}"
        return f"{self.runtime} {self.artifact}, {shape}, {batch}"
