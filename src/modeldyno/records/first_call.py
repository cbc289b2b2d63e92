"""What a process that opens a model for the first time is told, and what it answers."""

from modeldyno.records.base import Record
from modeldyno.records.deployment import Deployment
from modeldyno.records.signature import Signature


class PackedArray(Record, frozen=True, kw_only=True):
    """One input of a batch, as it travels to a child."""

    name: str
    dtype: str
    """As NumPy writes it; `object` for texts."""
    shape: tuple[int, ...]
    raw: bytes = b""
    """The numbers, in the byte order that the dtype names; empty for texts."""
    texts: tuple[bytes, ...] = ()


class FirstCallTask(Record, frozen=True, kw_only=True):
    """What a child is to open and call."""

    started_ns: int
    """When it was started, on the clock that all processes share."""
    path: str
    entry: str = ""
    """What is meant in a Python file."""
    signature: Signature
    deployment: Deployment
    trust: bool
    batch: tuple[PackedArray, ...]
    """Of the first call."""
    repeats: int
    """How often it is repeated in the largest batch."""


class FirstCall(Record, frozen=True, kw_only=True):
    """What one child saw: durations, and its resident memory after each step."""

    process_ns: int
    library_ns: int
    load_ns: int
    first_ns: int
    warm_ns: int
    runtime_bytes: int
    loaded_bytes: int
    called_bytes: int
    largest_bytes: int
    peak_bytes: int
