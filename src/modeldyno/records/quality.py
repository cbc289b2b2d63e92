"""How right the answers are."""

import msgspec

from modeldyno.records.artifact import Task
from modeldyno.records.base import Estimate, Record


class GroupQuality(Record, frozen=True, kw_only=True):
    """Quality on one class, or on the rows with one value of a column."""

    name: str
    """Label of the class; `column=value` of a slice."""
    rows: int
    """With this label, or in this slice."""
    metrics: dict[str, Estimate]
    omitted: dict[str, str] = msgspec.field(default_factory=dict)
    """Metric name to why it is not told."""


class Quality(Record, frozen=True, kw_only=True):
    """Quality of one artifact on labelled rows."""

    rows: int
    task: Task
    metrics: dict[str, Estimate]
    """Metric name (`accuracy`, `f1_macro`, `mae`, ...) to its value; fractions between 0 and 1."""
    labels_digest: str
    """Digest of the rows and labels it was computed on, so that only like is compared with like."""
    classes: tuple[GroupQuality, ...] = ()
    """Each class alone, against all others; of classifications only."""
    slices: tuple[GroupQuality, ...] = ()
    omitted: dict[str, str] = msgspec.field(default_factory=dict)
    """Metric name to why it is not told: no probabilities, one class only, too few rows."""
    is_weighted: bool = False
    """Whether rows counted by their weights."""


class QualityChange(Record, frozen=True, kw_only=True):
    """An artifact against the original model, pair by pair on the same rows."""

    rows: int
    """Pairs that were compared: rows, of a ranking queries, of embeddings the rows whose neighbours were asked."""
    drops: dict[str, Estimate]
    """Metric name to original minus candidate, in absolute points (0.01 is one percentage point), so that
    positive is worse; for errors such as `mae`, candidate minus original."""
    flips: int
    flip_rate: Estimate
    """Share of rows whose answer changed."""
    discordant_rows: dict[str, float]
    """Metric name to the share of rows on which exactly one of the two is right (classification only): what
    decides how many rows a verdict needs."""
    classes: dict[str, dict[str, Estimate]] = msgspec.field(default_factory=dict)
    """Label to the drops of that class alone, as `drops`."""
    slices: dict[str, dict[str, Estimate]] = msgspec.field(default_factory=dict)
    """`column=value` to the drops on those rows."""
    agreement: dict[str, Estimate] = msgspec.field(default_factory=dict)
    """How alike embeddings or sequences are, without labels: `cosine`, `neighbour_overlap`, `exact_agreement`."""
    worse_rows: int | None = None
    """Rows on which only the original is right; None where answers are neither right nor wrong."""
    better_rows: int | None = None
    """Rows on which only the candidate is right."""
    mcnemar_p: float | None = None
    """Probability of so uneven a pair of counts if both were equally often right: McNemar's exact test, two-sided."""
