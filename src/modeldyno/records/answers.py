"""What came of holding answers against expected ones."""

from modeldyno.records.base import Record
from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict

FROM_SERVER = "server"
FROM_REQUEST_FILE = "request file"
NO_WRONG_ANSWER = "no wrong answer"
"""The objective that every run has on which a wrong answer could be seen."""


class AnswersChecked(Record, frozen=True, kw_only=True):
    """Over the whole run, warm-up included: a wrong answer is wrong at any time."""

    expected: str
    """The file with the expected answers, or one of the two above: the server's own before the load, or a pattern."""
    share: float
    """Of the answers, those whose content was to be looked at."""
    tolerance: float
    """Relative and absolute, for numbers with a fraction."""
    checked: int
    """Answers whose content was looked at."""
    wrong: int
    example: str = ""
    """The first wrong answer in words; empty without one."""


def wrong_answers(verdict: MeasurementVerdict) -> ObjectiveVerdict | None:
    """What was seen of wrong answers; None when none was."""
    return next((one for one in verdict.objectives if one.objective == NO_WRONG_ANSWER and one.verdict == "fail"), None)
