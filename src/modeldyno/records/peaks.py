"""What this machine can do at most: the roof under which every operator works."""

from typing import Literal

import msgspec

from modeldyno.records.base import Estimate, Record

PeakPrecision = Literal["fp32", "int8", "bf16", "fp16"]
MemoryLevel = Literal["L2", "L3", "memory"]


class ComputePeak(Record, frozen=True, kw_only=True):
    """Floating-point (or whole-number) operations per second of a large matrix product; 2 a multiplication with sum."""

    library: Literal["numpy", "onnxruntime", "openvino"]
    precision: PeakPrecision
    threads: int
    best_per_s: float
    """Of the fastest block: what disturbs a measurement only ever slows it."""
    per_s: Estimate
    """The mean over the blocks: far below the best where the machine was disturbed."""


class BandwidthPeak(Record, frozen=True, kw_only=True):
    """Bytes per second that are read and written by a copy or a triad (a = b + s·c), as STREAM counts them."""

    kernel: Literal["copy", "triad"]
    level: MemoryLevel
    """Where the arrays fit: `memory` where they are larger than every cache."""
    working_set_bytes: int
    """Of all arrays and threads together."""
    threads: int
    best_per_s: float
    per_s: Estimate


class Peaks(Record, frozen=True, kw_only=True):
    """The measured peaks of one machine, for each thread count that was asked."""

    measured_at: str
    compute: tuple[ComputePeak, ...]
    bandwidth: tuple[BandwidthPeak, ...]
    cache_bytes: dict[str, int] = msgspec.field(default_factory=dict)
    """Of one core: L2, and the L3 that it shares; empty where the kernel does not tell."""
    stolen_fraction: float | None = None
    """Processor time that the hypervisor took meanwhile; None where the kernel does not tell."""
    notes: tuple[str, ...] = ()

    def compute_per_s(self, precision: str, threads: int) -> float | None:
        """The highest measured with so many threads; None where that precision was not measured."""
        found = [one.best_per_s for one in self.compute if (one.precision, one.threads) == (precision, threads)]
        return max(found, default=None)

    def level_of(self, working_set_bytes: int, threads: int) -> MemoryLevel:
        """The smallest level that holds what a call touches; each core has an L2 of its own."""
        if working_set_bytes <= self.cache_bytes.get("L2", 0) * threads:
            return "L2"
        return "L3" if working_set_bytes <= self.cache_bytes.get("L3", 0) else "memory"

    def bytes_per_s(self, level: MemoryLevel, threads: int) -> float | None:
        """The highest measured there with so many threads; None where it was not."""
        found = [one.best_per_s for one in self.bandwidth if (one.level, one.threads) == (level, threads)]
        return max(found, default=None)
