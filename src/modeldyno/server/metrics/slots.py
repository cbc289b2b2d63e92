"""Where the processes of one server leave their counts for each other."""

import logging
from pathlib import Path

import msgspec

from modeldyno.errors import ToolError
from modeldyno.server.metrics.totals import ModelTotals, ProcessTotals

ModelKey = tuple[str, str]
"""Name and version."""

_LOG = logging.getLogger("modeldyno.server")
STALE_NS = 3 * 10**9
"""A process that has left nothing for so long is taken for gone: its memory and its queue are no longer told."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What one process left."""

    at_ns: int
    """On the monotonic clock, which all processes of a machine share."""
    models: dict[ModelKey, ModelTotals]
    process: ProcessTotals

    def settled(self) -> "Left":
        """The same of a process that is known to be gone."""
        models = {key: one.settled() for key, one in self.models.items()}
        return Left(at_ns=self.at_ns, models=models, process=self.process.past())

    def past(self) -> "Left":
        """The same without what is true at one moment only."""
        models = {key: one.past() for key, one in self.models.items()}
        return Left(at_ns=self.at_ns, models=models, process=self.process.past())


class MetricsSlots:
    """A directory with one file for each process, its slot; whoever starts the processes gives both.

    A slot is replaced whole, so that a reader sees the counts of one moment and no torn ones, and a process that is
    killed leaves what it left last: its counts go on, but for what came after. Whoever takes the slot next
    adds to them. Cells in mapped memory would lose nothing, but cost a request three times as much to count.

    Args:
        directory: in memory rather than on a disk, such as below `/dev/shm`; the slots of one server and nothing else.
        slot: this process's number.

    Raises:
        ToolError: the slot holds what this version of the program did not write.
    """

    def __init__(self, directory: Path, slot: int) -> None:
        self._directory = directory
        self._own = directory / f"{slot}.slot"
        self._is_failing = False
        found = _read(self._own)
        self.before = [] if found is None else [found.settled()]
        """What the processes left that had this slot before, if there were any."""

    def leave(self, left: Left) -> None:
        """Put it where the others find it. A full disk is logged once, and ends no server."""
        fresh = self._own.with_suffix(".new")
        try:
            fresh.write_bytes(msgspec.msgpack.encode(left))
            fresh.replace(self._own)
            self._is_failing = False
        except OSError:
            if not self._is_failing:
                _LOG.exception("the metrics cannot be left for the other processes")
            self._is_failing = True

    def others(self, now_ns: int) -> list[Left]:
        """What is in the other slots."""
        found = [left for path in self._directory.glob("*.slot") if path != self._own and (left := _read(path))]
        return [left.past() if now_ns - left.at_ns > STALE_NS else left for left in found]


def _read(path: Path) -> Left | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Left)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as problem:
        raise ToolError(f"{path} is no slot of metrics", why=str(problem)) from problem
