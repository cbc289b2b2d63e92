"""The lines that judge: the headline, each objective with its evidence, the validity of a measurement."""

from collections.abc import Sequence

from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict
from modeldyno.reports.headline import Headline
from modeldyno.reports.terminal.layout import entries, entry, table
from modeldyno.reports.wording import ANSWER_WORDS

_WORDS = {"pass": "PASS", "fail": "FAIL", "cannot_tell": "CANNOT TELL", "measured": "DONE"}


def headline_lines(headline: Headline) -> list[str]:
    """The verdict of the whole record: `PASS       All 3 objectives are met. ...`."""
    text = f"{headline.title}. {headline.detail}" if headline.detail else headline.title
    return entry(_WORDS[headline.answer], text)


def objective_lines(verdicts: Sequence[ObjectiveVerdict]) -> list[str]:
    """Each objective, answered, with the evidence."""
    if not verdicts:
        return []
    rows = [(ANSWER_WORDS[one.verdict], one.objective, one.evidence) for one in verdicts]
    return ["objectives", *table("llw", rows)]


def measurement_lines(verdict: MeasurementVerdict) -> list[str]:
    """Whether the measurement can be believed: the reasons against it, and what a careful reader should know."""
    return [*entries("invalid", verdict.reasons), *entries("note", verdict.notes)]
