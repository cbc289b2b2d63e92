"""The server's side of a run: samples of its processes and of its metrics on the time axis of the requests.

All moments are nanoseconds of CLOCK_MONOTONIC since the run's planned start, as in `records.requests`.
"""

from typing import Literal, NamedTuple

import numpy as np

from modeldyno.records.base import Record

OBSERVATION_DTYPE = np.dtype(
    [
        ("moment_ns", "<i8"),
        ("cpu_ns", "<i8"),  # CPU time of the server's processes since the first sample, those that ended included
        ("resident_bytes", "<i8"),  # sum over the processes; shared pages count in each
        ("processes", "<i4"),
        ("threads", "<i4"),
        ("voluntary_switches", "<i8"),  # context switches since the first sample: the thread waited
        ("involuntary_switches", "<i8"),  # the kernel took the processor away
        ("throttled_ns", "<i8"),  # since the first sample, by the cgroup's CPU quota; -1 when it has none
        ("throttled_periods", "<i8"),
        ("energy_uj", "<i8"),  # of all processor packages since the first sample; -1 where it cannot be read
        ("cost_ns", "<i8"),  # CPU time that taking this sample took
    ]
)


class MetricSample(NamedTuple):
    """One number that the server exposed."""

    moment_ns: int
    name: str
    labels: str
    """As exposed, `{code="200"}`; empty without labels."""
    value: float
    kind: str
    """`counter`, `gauge`, `histogram`, `summary`, `untyped`."""


class ObservedProcess(Record, frozen=True, kw_only=True):
    """A process of the server, as it was when the run began."""

    pid: int
    name: str


class ServerUse(Record, frozen=True, kw_only=True):
    """What the server's processes used in the measured phase."""

    processes: tuple[ObservedProcess, ...]
    found_by: Literal["pid", "port"]
    """Named by the user, or found because they listen on the target's port."""
    samples: int
    sample_cost_ns: float
    """CPU time that one sample takes, median; it is spent in the instrument's parent process, not in a sender."""
    cpu_cores: float
    """CPU time over wall time."""
    cpu_cores_peak: float
    """Of the busiest interval between two samples."""
    cpu_ns_per_request: float | None
    """Per answered request; None without one."""
    resident_peak_bytes: int
    """The largest sampled; the kernel's own high-water mark is `effective.server_peak_memory_bytes`."""
    threads_peak: int
    voluntary_switches_per_s: float
    involuntary_switches_per_s: float
    throttled_ns: int | None
    """Time the cgroup's quota held the processes back; None without a quota, or where it cannot be read."""
    throttled_periods: int | None
    energy_joules: float | None
    """Of all processor packages of the machine, the instrument and the neighbours included; None without RAPL."""


class MetricChange(Record, frozen=True, kw_only=True):
    """How a counter of the server grew in the measured phase."""

    name: str
    labels: str
    per_s: float
