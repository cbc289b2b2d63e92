"""The state of the machine and of the instrument on it."""

from typing import Literal

from modeldyno.records.base import Record
from modeldyno.records.environment import Environment
from modeldyno.records.peaks import Peaks
from modeldyno.records.run import Floor, LatencySummary


class RuntimeState(Record, frozen=True, kw_only=True):
    """A runtime, installed or not."""

    name: str
    version: str | None
    detail: str
    """Execution providers, the distribution it came from, or the command that installs it."""


class SenderLateness(Record, frozen=True, kw_only=True):
    """How late a sending process is on this machine, without any server."""

    awake: bool
    """Whether it stays awake between sends, or sleeps."""
    rate_per_s: float
    lateness: LatencySummary
    late_fraction: float
    """Share of the sends that were over 1 ms late."""
    stolen_fraction: float | None
    """Share of this machine's processor time that its hypervisor took meanwhile; None where that is not told."""


class Checkup(Record, frozen=True, kw_only=True):
    """What `dyno doctor --json` prints."""

    schema: Literal["modeldyno.checkup/1"] = "modeldyno.checkup/1"
    tool_version: str
    captured_at: str
    environment: Environment
    runtimes: tuple[RuntimeState, ...]
    floors: tuple[Floor, ...]
    """One for each protocol that was measured."""
    lateness: tuple[SenderLateness, ...] = ()
    """Of a sender that sleeps and of one that stays awake, measured in turns; empty when it was not measured."""
    stolen_fraction: float | None = None
    """Share of this machine's processor time that its hypervisor gave to others while all of this was measured; None
    where that is not told, or nothing was measured."""
    findings: tuple[str, ...]
    """What would disturb a measurement here, and what to do about it; empty when all is well."""
    peaks: Peaks | None = None
    """What the machine does at most; None when it was not measured."""
