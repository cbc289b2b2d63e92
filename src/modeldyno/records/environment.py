"""Where a number was measured."""

from modeldyno.records.base import Record


class Environment(Record, frozen=True, kw_only=True):
    """The machine and the libraries, as far as they can change a result."""

    cpu_model: str
    cpu_flags: tuple[str, ...]
    """Only the flags that decide speed or answers: avx2, avx512f, avx512_vnni, avx_vnni, avx512_bf16, amx_..."""
    cores_host: int
    """Logical processors of the host."""
    cores_affinity: int
    """Processors this process may run on."""
    cores_quota: float | None
    """Processors' worth of time the cgroup grants; None without a limit."""
    cores: int
    """What thread counts are derived from: min(affinity, ceil(quota)), at least 1."""
    governor: str | None
    memory_bytes: int
    memory_limit_bytes: int | None
    """The cgroup's limit, when there is one below the machine's memory."""
    operating_system: str
    kernel: str
    python: str
    libraries: dict[str, str]
    """Distribution name to version, of every library that can change a result."""
    load_average_1min: float
    """The neighbours: the run queue's length when this was captured."""
    is_compiled: bool = False
    """Whether the way of a request through `dyno serve` is machine code in this installation, or interpreted."""
