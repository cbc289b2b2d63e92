"""One load measurement: what was asked, what happened, and whether to believe it."""

from typing import Literal

from modeldyno.records.answers import AnswersChecked
from modeldyno.records.base import Estimate, Record
from modeldyno.records.environment import Environment
from modeldyno.records.model_statistics import ModelActivity
from modeldyno.records.objective import Objective
from modeldyno.records.observation import GpuUse, MetricChange, ServerUse
from modeldyno.records.scenario import ScenarioResult
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.records.workload import EffectiveWorkload, ProtocolName, Workload


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

    protocol: ProtocolName = "oip"
    rate_per_s: float
    """The open-loop rate at which latency and lateness were measured."""
    response_time: LatencySummary
    lateness: LatencySummary
    client_cpu_ns_per_request: float
    highest_rate_per_s: float
    """Highest offered rate of which at least 99.9 % was delivered within 1 ms of its moment."""


class ResponseSplit(Record, frozen=True, kw_only=True):
    """Mean parts of the response time in ns, over the answered requests; the parts add up to `response_ns`.

    Server parts are None when the server does not report them: neither with its answers nor in its statistics.
    """

    response_ns: float
    client_wait_ns: float
    """Planned to sent, opening a connection aside: the instrument's own lateness and waiting for a free one."""
    transmission_ns: float | None
    """Service time minus what the server says it took: both networks stacks and the wire."""
    server_queue_ns: float | None
    preprocessing_ns: float | None
    inference_ns: float | None
    postprocessing_ns: float | None
    unaccounted_ns: float
    """What nobody accounts for; without server times, all that is not the client's."""
    connect_ns: float = 0.0
    """Waiting for a new connection to open; in runs from before it was told apart it is in `client_wait_ns`."""
    source: Literal["server-timing", "triton statistics"] | None = None
    """Where the server's parts are from: the header of that name on each answer, or the means of its statistics."""


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


class Distribution(Record, frozen=True, kw_only=True):
    """Numbers of any unit, one a request. A percentile is None where the sample cannot support it."""

    mean: Estimate | None
    p10: Estimate | None
    p50: Estimate | None
    p90: Estimate | None
    least: float | None
    largest: float | None


class TokenSummary(Record, frozen=True, kw_only=True):
    """What a language model's answers were like, over the measured phase.

    Failures count as unbounded in the times, as in `Summary.response_time`.
    """

    time_to_first_token: LatencySummary
    """First piece with content minus planned, one a request; empty where answers do not stream."""
    time_to_first_token_from_send: LatencySummary
    """The same minus sent, over answered requests."""
    inter_token_latency: LatencySummary
    """Between a piece and the one before it, over all gaps of all requests in the order of time. A failed request
    counts as many unbounded gaps as an answered one has on average."""
    time_per_output_token: LatencySummary
    """From the first to the last piece, over the output tokens less one; one a request."""
    output_tokens_per_s: Estimate | None
    """Of all requests together, while the plan lasted; None when that is too short to tell."""
    output_tokens_per_s_of_request: Distribution
    """Output tokens over the response time, one an answered request."""
    input_tokens: Distribution
    """One a request, as the server counts them."""
    output_tokens: Distribution
    """One an answered request, as the server counts them, or else pieces."""
    counted: int
    """Answered requests whose tokens the server counted; in the others pieces stand for output tokens."""
    streamed: int
    """Answered requests whose answer came in pieces."""
    empty: int
    """Answered requests without any content."""
    pieces: int
    """Of answered requests."""
    tokens_in_pieces: int
    """Output tokens of the same requests."""
    pieces_in_one_read: int
    """Those that came in the same read as the piece before, whose gap of 0 the network or the client made."""


class KindSummary(Record, frozen=True, kw_only=True):
    """The requests of one kind, or of one size, in a mix."""

    kind: str
    requests: int
    answered: int
    failures: dict[str, int]
    """As in `Summary`."""
    response_time: LatencySummary


class Summary(Record, frozen=True, kw_only=True):
    """The measured phase in numbers; rebuilt from the raw requests at any time."""

    requests: int
    """Planned in the measured phase."""
    answered: int
    failures: dict[str, int]
    """Outcome name in lower case (`timeout`, `http_503`, `grpc_unavailable`) to count; empty when there were none."""
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
    kinds: tuple[KindSummary, ...] = ()
    """Of a mix; empty without one."""
    tokens: TokenSummary | None = None
    """Of a language model; None for all else."""


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
    activity: ModelActivity | None = None
    """What the server's own statistics say of the model; None when it keeps none."""
    gpus: tuple[GpuUse, ...] = ()
    """The machine's GPUs, when the server is on this machine; all samples are in `gpus.parquet`."""
    low_load: LowLoad | None = None
    """Measured before the run when the split was to be estimated."""
    queueing: QueueingEstimate | None = None
    """Estimated from `low_load`; the server's own word, where there is one, is in `summary.split`."""
    answers: AnswersChecked | None = None
    """What came of the answers that were expected; None when none were."""
    scenario: ScenarioResult | None = None
    """What the rules of an MLPerf scenario say of it; None when none was asked for."""
