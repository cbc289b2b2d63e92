"""How right the answers are."""

from modeldyno.records.artifact import Task
from modeldyno.records.base import Estimate, Record


class Quality(Record, frozen=True, kw_only=True):
    """Quality of one artifact on labelled rows."""

    rows: int
    task: Task
    metrics: dict[str, Estimate]
    """Metric name (`accuracy`, `f1_macro`, `mae`, ...) to its value; fractions between 0 and 1."""
    labels_digest: str
    """Digest of the rows and labels it was computed on, so that only like is compared with like."""


class QualityChange(Record, frozen=True, kw_only=True):
    """An artifact against the original model, pair by pair on the same rows."""

    rows: int
    drops: dict[str, Estimate]
    """Metric name to original minus candidate, in absolute points (0.01 is one percentage point), so that
    positive is worse; for errors such as `mae`, candidate minus original."""
    flips: int
    flip_rate: Estimate
    """Share of rows whose answer changed."""
    discordant_rows: dict[str, float]
    """Metric name to the share of rows on which exactly one of the two is right (classification only): what
    decides how many rows a verdict needs."""
