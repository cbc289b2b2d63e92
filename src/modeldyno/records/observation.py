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


GPU_DTYPE = np.dtype(
    [
        ("moment_ns", "<i8"),
        ("gpu", "<i2"),  # its index, as nvidia-smi counts
        ("utilisation", "<f4"),  # share of the driver's last sample period in which a kernel ran; -1 where not told
        ("memory_bytes", "<i8"),  # in use, by everybody; -1 as above
        ("power_mw", "<i8"),  # -1 as above
        ("energy_mj", "<i8"),  # since the driver was loaded; -1 as above
        ("cost_ns", "<i8"),  # time that reading this GPU took
    ]
)


class GpuReading(NamedTuple):
    """What one GPU tells at one moment, in the units of `GPU_DTYPE`; -1 what it does not tell."""

    gpu: int
    utilisation: float
    memory_bytes: int
    power_mw: int
    energy_mj: int


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


class Gpu(Record, frozen=True, kw_only=True):
    """A GPU of this machine."""

    index: int
    name: str
    memory_bytes: int | None
    """In all; None where the driver does not tell."""
    has_server: bool | None
    """Whether a process of the server was on it when the run began; None when the server's processes are not known."""


class GpuUse(Record, frozen=True, kw_only=True):
    """What a GPU did in the measured phase, for everybody who uses it."""

    gpu: Gpu
    samples: int
    utilisation: float | None
    """Mean share of time in which a kernel ran, whatever share of the chip it used; None where not told."""
    utilisation_peak: float | None
    memory_peak_bytes: int | None
    """The largest sampled."""
    power_watts: float | None
    """Mean: of the energy counter where there is one, else of the samples."""
    energy_joules: float | None
    """By the energy counter; None where the GPU has none."""
    energy_joules_per_request: float | None = None
    """Per answered request."""


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
    energy_joules_per_request: float | None = None
    """Per answered request; None without RAPL or without an answer."""


class MetricChange(Record, frozen=True, kw_only=True):
    """How a counter of the server grew in the measured phase."""

    name: str
    labels: str
    per_s: float
