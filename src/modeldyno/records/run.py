"""One load measurement: what was asked, what happened, and whether to believe it."""

from typing import Literal

from modeldyno.records.base import Estimate, Record
from modeldyno.records.environment import Environment
from modeldyno.records.objective import Objective
from modeldyno.records.observation import MetricChange, ServerUse
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload


class LatencySummary(Record, frozen=True, kw_only=True):
    """A latency distribution in ns. A percentile is None where the sample cannot support it."""

    mean_ns: Estimate | None
    p50_ns: Estimate | None
    p90_ns: Estimate | None
    p95_ns: Estimate | None
    p99_ns: Estimate | None
    p999_ns: Estimate | None
    max_ns: Estimate | None
    """The largest seen; it has no interval."""


class Floor(Record, frozen=True, kw_only=True):
    """What the instrument itself costs here, measured against a server that does nothing."""

    rate_per_s: float
    """The open-loop rate at which latency and lateness were measured."""
    response_time: LatencySummary
    lateness: LatencySummary
    client_cpu_ns_per_request: float
    highest_rate_per_s: float
    """Highest offered rate of which at least 99.9 % was delivered within 1 ms of its moment."""


class ResponseSplit(Record, frozen=True, kw_only=True):
    """Mean parts of the response time in ns, over the answered requests; the parts add up to `response_ns`.

    Server parts are None when the server does not report them (no `Server-Timing` header).
    """

    response_ns: float
    client_wait_ns: float
    """Planned to sent: the instrument's own lateness and waiting for a free connection."""
    transmission_ns: float | None
    """Service time minus what the server says it took: both networks stacks and the wire."""
    server_queue_ns: float | None
    preprocessing_ns: float | None
    inference_ns: float | None
    postprocessing_ns: float | None
    unaccounted_ns: float
    """What nobody accounts for; without server times, all that is not client wait."""


class LowLoad(Record, frozen=True, kw_only=True):
    """A short load before the run at a tenth of its rate, where nearly nobody waits."""

    rate_per_s: float
    answered: int
    service_ns: Estimate
    """Mean service time."""


class QueueingEstimate(Record, frozen=True, kw_only=True):
    """What a low load lets one say about queueing. An estimate, never a measurement."""

    queueing_ns: Estimate
    """Mean service time of the run beyond that of the low load; an interval around 0 tells of no queueing."""
    waiting_requests: float
    """Mean number of requests that wait, by Little's law."""
    requests_in_flight: float
    """Mean number of requests sent and not answered, by Little's law."""


class Summary(Record, frozen=True, kw_only=True):
    """The measured phase in numbers; rebuilt from the raw requests at any time."""

    requests: int
    """Planned in the measured phase."""
    answered: int
    failures: dict[str, int]
    """Outcome name in lower case (`timeout`, `http_503`, ...) to count; empty when there were none."""
    duration_ns: int
    """First planned moment to last answer (or the end of the plan, whichever is later)."""
    rate_asked_per_s: float
    rate_delivered_per_s: float
    """Requests really sent over the time from the first to the last send."""
    answered_per_s: float
    goodput_per_s: float | None
    """Answered within every latency limit, per second; None without a latency limit."""
    items_per_s: float
    """Rows answered per second."""
    sent_bytes: int
    received_bytes: int
    response_time: LatencySummary
    """Done minus planned, failures as unbounded latency where a percentile reaches them (then None)."""
    service_time: LatencySummary
    """Done minus sent, over answered requests."""
    lateness: LatencySummary
    """Sent minus planned: how well the instrument kept its own schedule."""
    split: ResponseSplit | None
    autocorrelation_time: float
    """Requests that carry as much information as one independent one; 1 when independent."""


class Run(Record, frozen=True, kw_only=True):
    """The document `run.json`."""

    schema: Literal["modeldyno.run/1"] = "modeldyno.run/1"
    tool_version: str
    state: Literal["running", "complete", "interrupted"]
    started_at: str
    """UTC, ISO 8601."""
    environment: Environment
    requested: Workload
    effective: EffectiveWorkload | None
    objectives: tuple[Objective, ...] = ()
    summary: Summary | None = None
    verdict: MeasurementVerdict | None = None
    floor: Floor | None = None
    """The instrument's own floor on this machine, as `dyno doctor` last measured it; None when it never did."""
    server: ServerUse | None = None
    """None when the server is not a process of this machine that may be looked at."""
    metrics: tuple[MetricChange, ...] = ()
    """The counters of the server's `/metrics` that tell most; all samples are in `metrics.parquet`."""
    low_load: LowLoad | None = None
    """Measured before the run when the split was to be estimated."""
    queueing: QueueingEstimate | None = None
    """Estimated from `low_load`; the server's own word, where there is one, is in `summary.split`."""
