"""How right a model or bundle answers."""

from typing import Literal

from modeldyno.records.base import Record
from modeldyno.records.environment import Environment
from modeldyno.records.objective import Objective
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.verdict import ObjectiveVerdict


class Evaluation(Record, frozen=True, kw_only=True):
    """What `dyno evaluate --json` prints."""

    schema: Literal["modeldyno.evaluation/1"] = "modeldyno.evaluation/1"
    tool_version: str
    evaluated_at: str
    environment: Environment
    subject: str
    """Path of the model or bundle."""
    data: str
    """What the data are, in words."""
    quality: Quality
    reference: str | None
    """Path of the model it was compared with."""
    change: QualityChange | None
    objectives: tuple[Objective, ...]
    verdicts: tuple[ObjectiveVerdict, ...]
    notes: tuple[str, ...] = ()
    """What a careful reader should know: labels that the model cannot answer."""
