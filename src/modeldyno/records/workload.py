"""What is offered to a service."""

from typing import Literal

import msgspec

from modeldyno.records.base import Record
from modeldyno.records.prompting import Prompting
from modeldyno.records.shares import parse_shares

ArrivalName = Literal["constant", "poisson", "gamma", "ramp", "step", "spike", "replay", "closed"]
"""`closed` is no arrival process but the closed loop: each of `concurrency` users sends when its answer is there."""

ProtocolName = Literal[
    "oip",
    "oip-json",
    "oip-grpc",
    "openai-chat",
    "openai-completions",
    "openai-embeddings",
    "tf-serving",
    "torchserve",
    "http",
    "in-process",
    "null",
]
"""What is spoken. `oip` is the Open Inference Protocol over HTTP with binary tensors; `in-process` calls the model of a
bundle without any network, `null` nothing at all."""


class RowShare(Record, frozen=True, kw_only=True):
    """One size of request in a mix."""

    rows: int
    share: float
    """Of the requests, between 0 and 1; the shares of a mix add up to 1."""


class KindShare(Record, frozen=True, kw_only=True):
    """One kind of request in a mix."""

    kind: str
    share: float
    """Of the requests, between 0 and 1; the shares of a mix add up to 1."""


class TraceSource(Record, frozen=True, kw_only=True):
    """The recorded arrivals that a replay follows."""

    path: str
    digest: str
    """`sha256:` of the file."""
    speed: float = 1.0
    """2 replays in half the time, so at twice the rate."""
    scale: float = 1.0
    """2 replays twice the requests in the same time; below 1, that share of them, drawn by the seed."""
    questions: int | None = None
    """Different questions in the part that is replayed; None where the trace does not tell which requests ask the
    same."""


class Repeats(Record, frozen=True, kw_only=True):
    """How many requests of a load ask what was asked before in it."""

    share: float
    """Of the requests, from 0 up to but not 1, to the nearest request; every other one asks something new, as long as
    there is something new to ask."""
    pool: int = 1000
    """What is asked again is one of the first so many questions of the load."""
    exponent: float = 1.0
    """Of the popularity in the pool by Zipf's law: the k-th question of the load is asked again in proportion to
    1/k^exponent; 0 makes all equally popular. Caches of the web saw 0.64 to 0.83 (Breslau et al., INFOCOM 1999)."""


class Workload(Record, frozen=True, kw_only=True):
    """A load. All but the closed loop are planned before the run and sent at their moment, ready or not."""

    url: str
    """Base URL of the server, such as `http://127.0.0.1:8000`."""
    model: str
    arrivals: ArrivalName = "poisson"
    rate_per_s: float
    """Requests per second asked for: the mean over the measured phase; 0 in a closed loop, which asks for none."""
    requests: int
    """Planned requests of the measured phase; 0 in a closed loop that `duration_ns` ends."""
    warmup_requests: int
    """Planned requests before it; sent at the rate it begins with, kept in the raw data, left out of the summary."""
    rows_per_request: int = 1
    """Not used when there is a `row_mix`."""
    timeout_ns: int = 5_000_000_000
    """From the moment a request is sent; one that takes longer is a failure of kind `timeout`."""
    connections: int = 8
    """Opened before the run; more are opened when all are busy, up to `max_connections`."""
    max_connections: int = 256
    workers: int = 1
    """Sending processes; 0 when the tool chooses them from the rate."""
    seed: int
    burstiness: float = 1.0
    """`gamma`: shape of the distribution of the gaps; 1 is Poisson, less is burstier, more is evener."""
    from_per_s: float | None = None
    """`ramp`, `step`, `spike`: the rate they begin with, which is also that of the warm-up."""
    to_per_s: float | None = None
    """`ramp`, `step`, `spike`: the rate they reach."""
    steps: int = 2
    """`step`: how many levels of equal length, the first and the last rate included."""
    trace: TraceSource | None = None
    row_mix: tuple[RowShare, ...] = ()
    kind_mix: tuple[KindShare, ...] = ()
    """Kinds of request, such as templates or shapes; at most one of `row_mix` and `kind_mix` is given."""
    protocol: ProtocolName = "oip"
    prompting: Prompting | None = None
    """What a language model is asked; None for all else."""
    concurrency: int = 0
    """Closed loop: users, each with one request on its way at a time."""
    warmup_ns: int = 0
    """Closed loop: how long before the measured phase."""
    duration_ns: int = 0
    """Closed loop: how long the measured phase lasts; 0 when `requests` ends it."""
    awake: bool = False
    """The sending processes do not sleep between sends, each at the cost of a core."""
    repeats: Repeats | None = None
    """None: the prepared requests are sent in turn, and from the front again after the last; a replay whose trace
    names its questions asks those."""

    @property
    def is_closed(self) -> bool:
        """Whether answers decide when requests are sent."""
        return self.concurrency > 0

    @property
    def has_tokens(self) -> bool:
        """Whether a language model, or one that embeds, is asked: its answers are counted in tokens."""
        return self.protocol.startswith("openai-")

    @property
    def mean_rows(self) -> float:
        """Rows in a request, on average."""
        return sum(one.rows * one.share for one in self.row_mix) if self.row_mix else float(self.rows_per_request)


class EffectiveWorkload(Record, frozen=True, kw_only=True):
    """What really happened, beside what was asked."""

    connections: int
    """Connections open at the end."""
    workers: int
    client_cpu_fraction: float
    """CPU time of the busiest sending process over the run's wall time; near 1 the client is the bottleneck. What a
    process only waited awake is left out."""
    server_cpu_ns: int | None
    """CPU time the server's processes used during the measured phase; None when the server is not ours to look at."""
    server_peak_memory_bytes: int | None
    reconnects: int = 0
    """Connections opened in place of ones that the server closed or that a failure cost."""
    stolen_fraction: float | None = None
    """Share of this machine's processor time that its hypervisor gave to others; None where that is not told."""
    awake_fraction: float | None = None
    """Share of the run that the sending processes did not sleep, of the one that slept most: below 1 at a real-time
    priority, which the kernel takes the core from otherwise. None when they were not asked to stay awake."""
    questions: int | None = None
    """Different requests that were sent, warm-up included; None in runs from before they were counted."""
    repeated_fraction: float | None = None
    """Share of the requests sent in the measured phase that ask what was asked before, warm-up included."""
    failures_said: dict[str, str] = msgspec.field(default_factory=dict)
    """How the server's words on the first failure of a kind begin, by kind: `http_400`, `grpc_unavailable`."""


def parse_row_mix(text: str) -> tuple[RowShare, ...]:
    """`"8"`, `"1,1,8"` (each as often as it is named) or `"1:0.9,32:0.1"` (weights) to sizes and their shares.

    Raises:
        UsageError: a size that is no whole number above 0, or a weight that is no number above 0.
    """
    shares = parse_shares(
        text,
        what=f"{text!r} is not a number of rows nor a mix of them",
        size_name="size",
        hint="for example 1, or 1,1,8, or 1:0.9,32:0.1",
    )
    return tuple(RowShare(rows=rows, share=share) for rows, share in shares)
