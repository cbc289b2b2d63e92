"""The state of the machine and of the instrument on it."""

from typing import Literal

from modeldyno.records.base import Record
from modeldyno.records.environment import Environment
from modeldyno.records.run import Floor


class RuntimeState(Record, frozen=True, kw_only=True):
    """A runtime, installed or not."""

    name: str
    version: str | None
    detail: str
    """Execution providers, the distribution it came from, or the command that installs it."""


class Checkup(Record, frozen=True, kw_only=True):
    """What `dyno doctor --json` prints."""

    schema: Literal["modeldyno.checkup/1"] = "modeldyno.checkup/1"
    tool_version: str
    captured_at: str
    environment: Environment
    runtimes: tuple[RuntimeState, ...]
    floors: tuple[Floor, ...]
    """One for each protocol that was measured."""
    findings: tuple[str, ...]
    """What would disturb a measurement here, and what to do about it; empty when all is well."""
