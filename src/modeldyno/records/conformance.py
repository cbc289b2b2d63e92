"""What a server keeps of the Open Inference Protocol: rule by rule, with the evidence."""

from collections.abc import Iterable
from typing import Literal

from modeldyno.records.base import Record
from modeldyno.records.verdict import Answer

Severity = Literal["required", "recommended", "extension"]
"""`required`: the specification says so. `recommended`: it leaves it open, or another standard says so, and clients
rely on it. `extension`: of an extension that a server need not have."""
RuleResult = Literal["pass", "fail", "not_offered", "skipped", "not_checked"]
"""`not_offered`: the server or the model has nothing that the rule is about. `skipped`: what the rule builds on fails
already. `not_checked`: the check ended before it came to it."""
RESULTS: tuple[RuleResult, ...] = ("fail", "skipped", "not_checked", "pass", "not_offered")
"""In the order in which they matter to a reader."""


class RuleOutcome(Record, frozen=True, kw_only=True):
    """One rule, held against one server or one of its models."""

    rule: str
    """Its stable name, such as `infer.binary.leftover-bytes-are-refused`."""
    says: str
    """What must hold, in one sentence."""
    source: str
    """Document and section."""
    severity: Severity
    model: str
    """On which it was checked; empty for a rule about the server as a whole."""
    result: RuleResult
    reason: str = ""
    """Why it is not a pass; empty when it is one."""
    request: str = ""
    """The last request of the check, in short; empty when none was sent."""
    expected: str = ""
    """What was expected of a rule that failed."""
    got: str = ""
    """Status and beginning of the body of the answer to `request`."""
    advice: str = ""
    """What to do about a failure."""


class RuleDescription(Record, frozen=True, kw_only=True):
    """A rule that can be checked."""

    rule: str
    says: str
    source: str
    severity: Severity


class Conformance(Record, frozen=True, kw_only=True):
    """What `dyno conform --json` prints."""

    schema: Literal["modeldyno.conformance/1"] = "modeldyno.conformance/1"
    tool_version: str
    checked_at: str
    """UTC, ISO 8601."""
    state: Literal["complete", "lost", "interrupted"] = "complete"
    """`lost`: the server went away or hung for good during the check."""
    url: str
    """Of the HTTP form; empty when it was not checked."""
    grpc_url: str
    """Of the gRPC form; empty when it was not checked."""
    server: str
    """Name and version as the server gives them; empty when it gives none."""
    extensions: tuple[str, ...]
    """As the server lists them."""
    models: tuple[str, ...]
    """That were checked."""
    outcomes: tuple[RuleOutcome, ...]
    notes: tuple[str, ...] = ()
    """What a careful reader should know."""

    @property
    def answer(self) -> Answer:
        """`fail` when a required rule failed or the server was lost, `cannot_tell` when one could not be judged."""
        results = {one.result for one in self.outcomes if one.severity == "required"}
        if "fail" in results or self.state == "lost":
            return "fail"
        return "cannot_tell" if results & {"skipped", "not_checked"} else "pass"


def count_results(outcomes: Iterable[RuleOutcome]) -> dict[RuleResult, int]:
    """How many outcomes there are of each result, in the order of `RESULTS`."""
    counts = dict.fromkeys(RESULTS, 0)
    for one in outcomes:
        counts[one.result] += 1
    return counts
