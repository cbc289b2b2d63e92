"""What is offered to a service."""

from typing import Literal

from modeldyno.records.base import Record

ArrivalName = Literal["constant", "poisson"]


class Workload(Record, frozen=True, kw_only=True):
    """An open-loop load: requests are planned before the run and sent at their moment, ready or not."""

    url: str
    """Base URL of the server, such as `http://127.0.0.1:8000`."""
    model: str
    arrivals: ArrivalName = "poisson"
    rate_per_s: float
    """Requests per second asked for, in the measured phase and in the warm-up."""
    requests: int
    """Planned requests of the measured phase."""
    warmup_requests: int
    """Planned requests before it; sent at the same rate, kept in the raw data, left out of the summary."""
    rows_per_request: int = 1
    timeout_ns: int = 5_000_000_000
    """From the moment a request is sent; one that takes longer is a failure of kind `timeout`."""
    connections: int = 8
    """Opened before the run; more are opened when all are busy, up to `max_connections`."""
    max_connections: int = 256
    workers: int = 1
    """Sending processes."""
    seed: int


class EffectiveWorkload(Record, frozen=True, kw_only=True):
    """What really happened, beside what was asked."""

    connections: int
    """Connections open at the end."""
    workers: int
    client_cpu_fraction: float
    """CPU time of the busiest sending process over the run's wall time; near 1 the client is the bottleneck."""
    server_cpu_ns: int | None
    """CPU time the server's processes used during the measured phase; None when the server is not ours to look at."""
    server_peak_memory_bytes: int | None
    reconnects: int = 0
    """Connections opened in place of ones that the server closed or that a failure cost."""
