"""Several bundles made one, and how right and how dear that is."""

from typing import Literal

from modeldyno.records.base import Estimate, Record
from modeldyno.records.environment import Environment
from modeldyno.records.objective import Objective
from modeldyno.records.pipeline import Pipeline
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.verdict import ObjectiveVerdict


class PartQuality(Record, frozen=True, kw_only=True):
    """One of the models by itself, on all rows."""

    name: str
    quality: Quality
    ns_per_row: float
    """The median over batches of up to 256 rows, in this process."""


class ThresholdTrial(Record, frozen=True, kw_only=True):
    """A cascade of two at one threshold, on the same rows as all others."""

    threshold: float
    passed_on: Estimate
    """Share of the rows that the first model is not sure of."""
    accuracy: Estimate
    drop: Estimate
    """Accuracy of the last model minus that of the cascade, pair by pair."""
    ns_per_row: float
    """What the models took of the rows that each of them gets."""
    verdicts: tuple[ObjectiveVerdict, ...] = ()
    """Empty for thresholds that were not tested: below the first that does not pass."""


class Combination(Record, frozen=True, kw_only=True):
    """What `dyno combine --json` prints."""

    schema: Literal["modeldyno.combination/1"] = "modeldyno.combination/1"
    tool_version: str
    combined_at: str
    environment: Environment
    out: str | None
    """The directory that was written; None when an objective was not met."""
    pipeline: Pipeline
    data: str | None
    """What the data are, in words; None when there were none."""
    parts: tuple[PartQuality, ...] = ()
    quality: Quality | None = None
    """Of the whole."""
    reference: str | None = None
    """Which part the whole is compared with."""
    change: QualityChange | None = None
    passed_on: Estimate | None = None
    """Of a cascade of two, share of the rows that went on."""
    ns_per_row: float | None = None
    """Of a cascade of two, as in its trials."""
    trials: tuple[ThresholdTrial, ...] = ()
    """Where the threshold was chosen by measurement, the highest first."""
    objectives: tuple[Objective, ...] = ()
    verdicts: tuple[ObjectiveVerdict, ...] = ()
    notes: tuple[str, ...] = ()
