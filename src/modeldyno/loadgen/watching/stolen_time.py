"""Processor time that the hypervisor gave to others while this machine wanted it: `steal` of proc_stat(5).

A virtual machine of which much is stolen stalls for milliseconds at a time, client and server alike, and neither of
them can tell such a stall from one of its own.
"""

from pathlib import Path
from typing import NamedTuple, Self

_STAT = Path("/proc/stat")
_STEAL = 7
_COUNTED = 8
"""user nice system idle iowait irq softirq steal; the guest times that follow are in user and nice already."""


class ProcessorTime(NamedTuple):
    """Of all cores since the machine was started, in ticks."""

    stolen: int
    whole: int

    @classmethod
    def read(cls, path: Path = _STAT) -> Self | None:
        """Now; None where the kernel does not tell."""
        try:
            words = path.read_text().split("\n", 1)[0].split()
        except OSError:
            return None
        if len(words) <= _COUNTED or words[0] != "cpu":
            return None
        ticks = [int(word) for word in words[1 : _COUNTED + 1]]
        return cls(ticks[_STEAL], sum(ticks))


def stolen_fraction(before: ProcessorTime | None, after: ProcessorTime | None) -> float | None:
    """The share of the time of all cores between two readings that was stolen; None where it cannot be told."""
    if before is None or after is None or after.whole <= before.whole:
        return None
    return (after.stolen - before.stolen) / (after.whole - before.whole)
