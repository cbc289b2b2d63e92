"""What the driver and its sending processes tell each other, through the pipes of stdin and stdout."""

from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from modeldyno.loadgen.access import Encryption
from modeldyno.loadgen.wiring import ReaderName, TransportName


class Assignment(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """First message to a worker: everything it needs, its share of the schedule included."""

    worker: int
    """Its number, from 0; it sends requests `worker`, `worker + workers`, ... of the plan."""
    workers: int
    host: str
    port: int
    transport: TransportName
    reader: ReaderName
    encryption: Encryption | None = None
    requests: list[bytes]
    """As the transport sends them, such as whole HTTP requests."""
    choice: bytes
    """Indices into `requests`, int32 little-endian, one for each of its own requests in turn, from the front again
    after the last."""
    rows: list[int]
    """Rows in each of `requests`."""
    kinds: list[int]
    """Kind of each of `requests`, an index into those of the mix."""
    planned: bytes
    """Its planned moments, int64 little-endian ns since the start."""
    first_measured: int
    """Index into its own moments at which the measured phase begins."""
    plan_end_ns: int
    """The last planned moment of all workers, ns since the start."""
    timeout_ns: int
    connections: int
    max_connections: int
    part_path: str
    tokens_path: str
    concurrency: int = 0
    """Above 0 a closed loop: so many users, no planned moments, and these three fields instead."""
    warmup_ns: int = 0
    """Closed loop: measured from then on."""
    duration_ns: int = 0
    """Closed loop: sending ends so long after the warm-up; 0 when `most_requests` ends it."""
    most_requests: int = 0
    """Closed loop: sending ends after so many requests of the measured phase."""
    expected: list[bytes] = []
    """What to hold the answer to each of `requests` against, as the reader understands it; empty to check nothing."""
    checked_share: float = 1.0
    """Of the answers, drawn by `seed`, those that are checked."""
    tolerance: float = 0.0
    """Relative and absolute, for numbers with a fraction."""
    seed: int = 0
    awake: bool = False
    """The process does not sleep between sends."""
    session: bytes = b""
    """In process: what to open instead of a connection."""


class Start(msgspec.Struct, frozen=True, tag=True):
    """To all workers: the common start on CLOCK_MONOTONIC."""

    start_ns: int


class Stop(msgspec.Struct, frozen=True, tag=True):
    """To a worker: stop now, hand over what there is. A closed pipe means the same."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a worker: connected, waiting for `Start`."""


class Unreachable(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it could not connect before the start."""

    reason: str


class AnswerTally(msgspec.Struct, frozen=True):
    """How many answers were held against expected ones."""

    checked: int
    wrong: int
    example: str
    """The first wrong one in words; empty without one."""


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Last message from a worker."""

    rows_bytes: int
    """That are in its part file, `REQUEST_DTYPE`."""
    rows: bytes
    """What should follow them, but could not be written; empty if the disk had room."""
    tokens_bytes: int
    """The same of `TOKEN_DTYPE`."""
    tokens: bytes
    cpu_fraction: float
    """Its CPU time over wall time, from the first measured moment on; what it only waited awake is left out."""
    connections: int
    """Open at the end."""
    reconnects: int
    """Connections opened in place of lost ones."""
    notes: tuple[str, ...]
    """What the user should know: the disk was full, the machine had no more ports."""
    awake_fraction: float | None = None
    """Of the time that it sent, not spent asleep; None when it was not asked to stay awake."""
    answers: AnswerTally | None = None
    """None when nothing was expected of them."""
    failures_said: dict[str, str] = msgspec.field(default_factory=dict)
    """See `EffectiveWorkload`."""


ToWorker: TypeAlias = Assignment | Start | Stop
FromWorker: TypeAlias = Ready | Unreachable | Finished
Message = TypeVar("Message")
_LENGTH_BYTES = 8


def to_frame(message: ToWorker | FromWorker) -> bytes:
    """MessagePack with its length in front."""
    content = msgspec.msgpack.encode(message)
    return len(content).to_bytes(_LENGTH_BYTES, "little") + content


class Frames(Generic[Message]):
    """Bytes of a pipe back to messages of one `kind`: `ToWorker` or `FromWorker`."""

    def __init__(self, kind: type[Message] | Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(kind)
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes."""
        self._pending += data
        messages = []
        while len(self._pending) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._pending[:_LENGTH_BYTES], "little")
            if len(self._pending) < end:
                break
            messages.append(self._decoder.decode(bytes(self._pending[_LENGTH_BYTES:end])))
            del self._pending[:end]
        return messages
