"""One rule: a name, what it says, where it is written, and how it is checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from modeldyno.conformance.subject import Subject
from modeldyno.records.conformance import RuleDescription, Severity

Check = Callable[[Subject], None]
"""Returns when the rule is kept, and raises one of `endings` otherwise."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of the protocol."""

    name: str
    """`group.subject.what-holds`; never changed once published."""
    says: str
    source: str
    severity: Severity
    check: Check
    advice: str = ""
    """What the author of a server that breaks it should do."""
    scope: Literal["server", "model"] = "model"
    """Whether it is checked once, or on every model."""
    transport: Literal["http", "grpc"] = "http"

    def described(self) -> RuleDescription:
        """For a list of the rules."""
        return RuleDescription(rule=self.name, says=self.says, source=self.source, severity=self.severity)
