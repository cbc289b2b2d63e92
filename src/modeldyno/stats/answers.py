"""Whether a run's answers were right: an objective of every run, even where the user named none."""

import numpy as np

from modeldyno.records.answers import FROM_REQUEST_FILE, FROM_SERVER, NO_WRONG_ANSWER, AnswersChecked
from modeldyno.records.base import Estimate
from modeldyno.records.requests import Outcome
from modeldyno.records.verdict import Answer, ObjectiveVerdict


def judge_answers(requests: np.ndarray, answers: AnswersChecked | None) -> ObjectiveVerdict | None:
    """Fails with a single wrong answer, or a single one to another request; None when none was seen nor looked for.

    It needs no interval: a wrong answer is a fact about the server, and not an estimate.

    Args:
        requests: raw rows, warm-up included.
        answers: what was checked; None when nothing was expected, or when it is not known.
    """
    # One that came too late as well has the outcome TIMEOUT, and is in the count of the check only.
    in_rows = int((requests["outcome"] == Outcome.WRONG_ANSWER).sum())
    wrong = in_rows if answers is None else max(in_rows, answers.wrong)
    mismatched = int((requests["outcome"] == Outcome.MISMATCHED).sum())
    found = []
    if wrong and answers is not None:
        found.append(f"{answers.wrong:,} of {answers.checked:,} {_compared(answers)} are wrong; {answers.example}")
    elif wrong:
        found.append(f"{wrong:,} of {len(requests):,} requests got another answer than expected")
    if mismatched:
        found.append(f"{mismatched:,} of {len(requests):,} requests got the answer to another one")
    if found:
        return _verdict("fail", "; ".join(found), wrong + mismatched)
    if answers is None:
        return None
    if not answers.checked:
        return _verdict("cannot_tell", "no answer was looked at; check a larger share, or send more requests", None)
    return _verdict("pass", f"all {answers.checked:,} {_compared(answers)} are as expected", 0)


def _compared(answers: AnswersChecked) -> str:
    if answers.expected == FROM_REQUEST_FILE:
        return "answers that were held against the request file"
    source = "the server's own before the load" if answers.expected == FROM_SERVER else answers.expected
    return f"answers that were held against {source} (tolerance {answers.tolerance:g})"


def _verdict(answer: Answer, evidence: str, wrong: int | None) -> ObjectiveVerdict:
    measured = None if wrong is None else Estimate(value=wrong)
    return ObjectiveVerdict(objective=NO_WRONG_ANSWER, verdict=answer, measured=measured, evidence=evidence)
