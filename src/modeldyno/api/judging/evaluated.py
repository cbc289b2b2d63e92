"""What is evaluated: a model file, a bundle, or a model on a running server, opened the same way."""

from dataclasses import dataclass, field
from pathlib import Path

from modeldyno.api.load.targets import is_url
from modeldyno.api.subjects import Subject, subject_at
from modeldyno.loadgen.access import Access
from modeldyno.records.artifact import Task


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How a server is reached."""

    model: str | None = None
    """Name on a server; may be left out when it offers exactly one and lists it."""
    access: Access = field(default_factory=Access)
    """What lets us in to a server."""


def subject_of(source: str, reach: Reach, *, trust: bool, task: Task | None) -> Subject:
    """The model file, bundle or served model that `source` names.

    Raises:
        InputError: neither, or not readable.
        TrustError: loading would run code, and nobody vouches for it.
        TargetError: the server cannot be reached, or does not offer the model.
        UsageError: several models are served and none is named.
    """
    if not is_url(source):
        return subject_at(Path(source), trust=trust, task=task)
    from modeldyno.api.judging.remote_session import grpc_session, http_session

    is_grpc = source.startswith(("grpc://", "grpcs://"))
    name, session = (grpc_session if is_grpc else http_session)(source.rstrip("/"), reach.model, reach.access)
    return Subject(name, session.signature, task or "unknown", (), lambda: session)
