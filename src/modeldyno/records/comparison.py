"""B against A: the ratio of each metric with its interval, and what may be concluded from it."""

from typing import Literal

from modeldyno.records.base import Estimate, Record
from modeldyno.records.verdict import Answer

Change = Literal["better", "worse", "equal", "cannot_tell"]
Method = Literal["stored_runs", "interleaved_blocks"]


class Difference(Record, frozen=True, kw_only=True):
    """Something other than the measured numbers in which A and B differ."""

    name: str
    """`cpu_model`, `libraries.onnxruntime`, `rate_per_s`, `deployment`, ..."""
    a: str
    b: str
    forbids_verdict: bool = False
    """Whether the two were asked for different things, so that no ratio is about the servers alone."""


class Side(Record, frozen=True, kw_only=True):
    """One of the two."""

    source: str
    """As the user gave it: directory of a run, URL, or directory of a bundle."""
    model: str
    runs: tuple[str, ...]
    """Directories of the runs behind the numbers."""
    requests: int
    failures: dict[str, int]
    invalid: tuple[str, ...] = ()
    """Why a run of it cannot be believed, one reason each; empty when all are valid."""


class MetricComparison(Record, frozen=True, kw_only=True):
    """One metric of B against A."""

    metric: str
    """`p50`, `p99`, `mean`, ..., `throughput` or `error_rate`."""
    a: Estimate | None
    """In the metric's own unit inside (ns, rows per second, fraction); None where the sample cannot support it."""
    b: Estimate | None
    ratio: Estimate | None
    """B over A; for `error_rate` the difference B minus A. Its interval holds together with those of all other
    metrics of the comparison with 95 % confidence."""
    change: Change
    regression: Answer
    """`pass`: not worse than allowed; `fail`: worse by more than allowed; `cannot_tell`: the interval holds both."""
    evidence: str
    """One sentence with the numbers."""


class Comparison(Record, frozen=True, kw_only=True):
    """What `dyno compare --json` prints."""

    schema: Literal["modeldyno.comparison/1"] = "modeldyno.comparison/1"
    tool_version: str
    compared_at: str
    """UTC, ISO 8601."""
    state: Literal["complete", "interrupted"] = "complete"
    """`interrupted`: stopped by the user, and concluded from the turns that were whole."""
    method: Method
    blocks: int
    """Pairs of blocks that took turns; 1 for stored runs."""
    margin: float
    """Up to this relative change both ways, two values are called equal."""
    max_regression: float
    """The relative change for the worse that is allowed."""
    differences: tuple[Difference, ...]
    a: Side
    b: Side
    metrics: tuple[MetricComparison, ...]
    measurement: Literal["valid", "invalid"]
    reasons: tuple[str, ...]
    """Why nothing can be concluded; empty when valid."""
    notes: tuple[str, ...] = ()
    """What a careful reader should know."""

    @property
    def regression(self) -> Answer:
        """Whether B is acceptable: what is invalid cannot tell; else one failed metric fails all."""
        answers = {one.regression for one in self.metrics}
        if self.measurement == "invalid":
            return "cannot_tell"
        if "fail" in answers:
            return "fail"
        return "cannot_tell" if "cannot_tell" in answers or not answers else "pass"
