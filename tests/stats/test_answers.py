import numpy as np

from modeldyno.records.answers import AnswersChecked
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.stats.answers import judge_answers


def rows(**counts: int) -> np.ndarray:
    """A hundred requests, so many with each outcome and the rest answered."""
    requests = empty_requests(100)
    outcomes = [Outcome[name] for name, count in counts.items() for _ in range(count)]
    requests["outcome"] = [*outcomes, *[Outcome.OK] * (100 - len(outcomes))]
    return requests


def checked(*, checked: int, wrong: int = 0) -> AnswersChecked:
    example = "request 3 of the data: y[0]: expected 1, got 2" if wrong else ""
    return AnswersChecked(expected="server", share=0.5, tolerance=1e-4, checked=checked, wrong=wrong, example=example)


def judged(requests: np.ndarray, answers: AnswersChecked | None) -> tuple[str, str]:
    verdict = judge_answers(requests, answers)
    assert verdict is not None
    return verdict.verdict, verdict.evidence


def test_nothing_is_said_where_nothing_was_looked_for() -> None:
    assert judge_answers(rows(HTTP_ERROR=3), None) is None


def test_right_answers_pass_with_how_many_were_looked_at() -> None:
    verdict, evidence = judged(rows(), checked(checked=50))

    assert "pass" == verdict
    assert "all 50 answers that were held against the server's own before the load (tolerance 0.0001)" in evidence


def test_a_single_wrong_answer_fails_and_is_shown() -> None:
    verdict, evidence = judged(rows(WRONG_ANSWER=1), checked(checked=50, wrong=1))

    assert "fail" == verdict
    assert evidence.startswith("1 of 50 answers")
    assert evidence.endswith("are wrong; request 3 of the data: y[0]: expected 1, got 2")


def test_an_answer_to_another_request_fails_although_nothing_was_expected() -> None:
    assert ("fail", "2 of 100 requests got the answer to another one") == judged(rows(MISMATCHED=2), None)


def test_wrong_answers_fail_without_the_record_of_the_check() -> None:
    assert ("fail", "2 of 100 requests got another answer than expected") == judged(rows(WRONG_ANSWER=2), None)


def test_it_cannot_be_told_when_no_answer_was_looked_at() -> None:
    assert "cannot_tell" == judged(rows(), checked(checked=0))[0]


def test_a_wrong_answer_that_came_too_late_is_wrong_all_the_same() -> None:
    assert "fail" == judged(rows(TIMEOUT=1), checked(checked=50, wrong=1))[0]
