"""How right the answers stay when the rows are changed."""

from typing import Literal, TypeAlias

from modeldyno.records.base import Estimate, Record

PerturbationKind: TypeAlias = Literal[
    "noise", "brightness", "missing", "blur", "rotation", "crop", "mirror", "shift", "typos", "imbalance"
]


class Perturbation(Record, frozen=True, kw_only=True):
    """A change of the rows, and how strong it is; what the numbers mean says `augmentation.perturbing.MEANINGS`."""

    kind: PerturbationKind
    severities: tuple[float, ...]


class RobustnessPoint(Record, frozen=True, kw_only=True):
    """Quality on rows that are changed so much."""

    severity: float
    rows: int
    metrics: dict[str, Estimate]
    """Metric name to value."""
    drops: dict[str, Estimate]
    """Metric name to the loss against the unchanged rows, pair by pair, positive is worse; empty where other rows are
    asked (`imbalance`)."""
    flip_rate: Estimate | None
    """Share of rows whose answer changed; None where other rows are asked."""


class RobustnessCurve(Record, frozen=True, kw_only=True):
    """One kind of change, at rising strength."""

    kind: PerturbationKind
    meaning: str
    """What the severity is, in words."""
    points: tuple[RobustnessPoint, ...]


class Robustness(Record, frozen=True, kw_only=True):
    """Quality against the strength of changes."""

    seed: int
    curves: tuple[RobustnessCurve, ...]


class TestTimeAugmentation(Record, frozen=True, kw_only=True):
    """One answer from a row and changed copies of it: what that gains, and what it costs."""

    __test__ = False  # no test of pytest's, for all its name

    perturbation: Perturbation
    """With one severity."""
    copies: int
    """Beside the row itself."""
    metrics: dict[str, Estimate]
    """Metric name to its value with the copies."""
    gains: dict[str, Estimate]
    """Metric name to the gain against the row alone, pair by pair, in absolute points; positive is better."""
    changed: Estimate
    """Share of rows whose answer is another."""
    cost: Estimate
    """Time for all copies, their making included, over that for the row alone; median and range of blocks of rows that
    were computed both ways, one after the other."""
