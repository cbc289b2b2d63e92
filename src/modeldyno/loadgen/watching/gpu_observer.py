"""Looks at the machine's GPUs while its server is under load."""

from typing import Protocol

import numpy as np

from modeldyno.clock import Clock
from modeldyno.records.observation import GPU_DTYPE, GpuReading

EVERY_NS = 200_000_000


class GpuMeter(Protocol):
    """What tells how the GPUs are doing now."""

    def read(self) -> list[GpuReading]:
        """One reading for each GPU."""
        ...


class GpuObserver:
    """Keeps what a meter tells."""

    def __init__(self, meter: GpuMeter, *, clock: Clock) -> None:
        self._meter = meter
        self._clock = clock
        self._rows: list[np.ndarray] = []

    def sample(self) -> None:
        """Look once."""
        moment_ns = self._clock.now_ns()
        readings = self._meter.read()
        rows = np.zeros(len(readings), GPU_DTYPE)
        for row, reading in zip(rows, readings, strict=True):
            for name, value in zip(GpuReading._fields, reading, strict=True):
                row[name] = value
        rows["moment_ns"] = moment_ns
        rows["cost_ns"] = (self._clock.now_ns() - moment_ns) // max(1, len(readings))
        self._rows.append(rows)

    def observations(self, start_ns: int) -> np.ndarray:
        """The samples so far, `GPU_DTYPE`, with moments since `start_ns` on the clock."""
        if not self._rows:
            return np.empty(0, GPU_DTYPE)
        rows = np.concatenate(self._rows)
        rows["moment_ns"] -= start_ns
        return rows
