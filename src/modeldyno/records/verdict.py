"""Pass, fail, or cannot tell, always with the evidence."""

from typing import Literal

from modeldyno.records.base import Estimate, Record

Answer = Literal["pass", "fail", "cannot_tell"]


class ObjectiveVerdict(Record, frozen=True, kw_only=True):
    """One objective, answered."""

    objective: str
    """The objective as the user wrote it."""
    verdict: Answer
    measured: Estimate | None
    """In the objective's own unit inside (ns, fraction, bytes, per second); None when nothing was measured."""
    evidence: str
    """One sentence with the numbers."""
    rows_to_decide: int | None = None
    """With `cannot_tell` on a quality objective: labelled rows that would decide it, if what was seen holds."""


class MeasurementVerdict(Record, frozen=True, kw_only=True):
    """Whether a run can be believed, and whether it met its objectives."""

    measurement: Literal["valid", "invalid"]
    reasons: tuple[str, ...]
    """Why it is invalid and what to change; empty when valid."""
    notes: tuple[str, ...] = ()
    """What a careful reader should know although it does not invalidate the run."""
    objectives: tuple[ObjectiveVerdict, ...] = ()
