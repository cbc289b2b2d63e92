"""How right a model or bundle answers."""

from typing import Literal

from modeldyno.records.base import Estimate, Record
from modeldyno.records.environment import Environment
from modeldyno.records.objective import Objective
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.robustness import Robustness, TestTimeAugmentation
from modeldyno.records.verdict import Answer, ObjectiveVerdict


class Curve(Record, frozen=True, kw_only=True):
    """One class against all others, as a line."""

    name: str
    """Label of the class."""
    area: Estimate | None
    points: tuple[tuple[float, float], ...]
    """Of a ROC curve: share of the others that are called so, share of its own that are. Of a precision-recall
    curve: recall, precision."""


class Confusion(Record, frozen=True, kw_only=True):
    """Which labels were answered how."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """A row for each label, a column for each answer."""


class ReliabilityBin(Record, frozen=True, kw_only=True):
    """Rows of which a model was about equally sure."""

    rows: int
    confidence: float
    """Mean probability of the answer."""
    right: Estimate
    """Share of them that was right."""


class Drawings(Record, frozen=True, kw_only=True):
    """What the page draws; empty where there is nothing to draw."""

    confusion: Confusion | None = None
    roc: tuple[Curve, ...] = ()
    precision_recall: tuple[Curve, ...] = ()
    calibration: tuple[ReliabilityBin, ...] = ()
    values: tuple[tuple[float, float], ...] = ()
    """Of a regression: label and answer of some rows."""


class Claim(Record, frozen=True, kw_only=True):
    """One thing that was proven of a bundle, looked at again."""

    what: str
    verdict: Answer
    evidence: str


class Recheck(Record, frozen=True, kw_only=True):
    """Whether what was proven of a bundle holds on this machine."""

    verdict: Answer
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = ()
    """What is other here than where it was proven."""
    processor: str = ""
    """In which way this processor is another than that it was made on; empty where that changes nothing."""


class Evaluation(Record, frozen=True, kw_only=True):
    """What `dyno evaluate --json` prints."""

    schema: Literal["modeldyno.evaluation/1"] = "modeldyno.evaluation/1"
    tool_version: str
    evaluated_at: str
    environment: Environment
    subject: str
    """Path of the model or bundle, or URL of the server."""
    data: str
    """What the data are, in words."""
    quality: Quality | None
    """None without labels."""
    reference: str | None
    """Path or URL of the model it was compared with."""
    change: QualityChange | None
    objectives: tuple[Objective, ...]
    verdicts: tuple[ObjectiveVerdict, ...]
    notes: tuple[str, ...] = ()
    """What a careful reader should know: labels that the model cannot answer."""
    advice: tuple[str, ...] = ()
    """Which metrics suit these data, one sentence each."""
    drawings: Drawings | None = None
    recheck: Recheck | None = None
    """Of a bundle."""
    robustness: Robustness | None = None
    """With changed rows, where that was asked."""
    augmentation: TestTimeAugmentation | None = None
    """With answers averaged over changed copies, where that was asked."""
