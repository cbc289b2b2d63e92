"""How prepared requests reach a server, and what is made of its answers: names that the sending processes know."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from modeldyno.loadgen.access import Access

TransportName = Literal["http1", "grpc", "in-process", "null"]
ReaderName = Literal[
    "plain", "v2", "v2-grpc", "openai", "openai-chat", "openai-completions", "openai-embeddings", "tf-serving"
]


class PreparedRequest(NamedTuple):
    """A request as a codec made it."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    """Such as `Content-Type`; those of the connection (`Host`, `Content-Length`) are added."""
    rows: int
    path: str = "/"
    method: str = "POST"
    kind: str = ""
    """Which of the kinds of a mix it is; not looked at without a mix."""


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """What answers are held against under load."""

    answers: Sequence[bytes]
    """One for each prepared request, as the reader understands it."""
    checked_share: float = 1.0
    """Of the answers, drawn by the seed."""
    tolerance: float = 0.0
    """Relative and absolute, for numbers with a fraction."""
    source: str = ""
    """Where the expected answers are from, for the record; empty when only the status is looked at."""


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """From a plan to a server and back."""

    transport: TransportName = "http1"
    reader: ReaderName = "plain"
    access: Access = field(default_factory=Access)
    expectations: Expectations | None = None
    session: bytes = b""
    """In process: what the sending process opens instead of connections."""
    module: str = "modeldyno.loadgen.worker"
    """What the sending processes run."""
