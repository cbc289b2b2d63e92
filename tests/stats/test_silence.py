from collections.abc import Callable

import numpy as np
import pytest

from modeldyno.records.requests import Outcome
from modeldyno.stats.silence import find_silence

Make = Callable[..., np.ndarray]


def gone(rows: np.ndarray, places: slice, outcome: Outcome) -> None:
    rows["outcome"][places] = outcome
    rows["done_ns"][places] = rows["planned_ns"][places]


def test_a_server_that_goes_away_is_told_with_its_moment_and_what_became_of_the_rest(make_run: Make) -> None:
    rows = make_run()
    gone(rows, slice(1000, None), Outcome.REFUSED)
    gone(rows, slice(1000, 1008), Outcome.DISCONNECTED)
    last_ns = int(rows["done_ns"][rows["outcome"] == Outcome.OK].max())
    found = find_silence(rows)
    assert found is not None
    assert f"from {(last_ns - int(rows['planned_ns'][0])) / 1e9:.2f} s into the run on" in found
    assert "refused 99" in found
    assert "it went away" in found


def test_a_server_that_hangs_may_be_offered_too_much(make_run: Make) -> None:
    rows = make_run()
    gone(rows, slice(1000, None), Outcome.TIMEOUT)
    assert "lower the rate" in (find_silence(rows) or "")


@pytest.mark.parametrize("outcome", (Outcome.HTTP_ERROR, Outcome.OK, Outcome.NOT_SENT, Outcome.INTERRUPTED))
def test_answers_with_errors_and_requests_that_never_were_are_no_silence(make_run: Make, outcome: Outcome) -> None:
    rows = make_run()
    rows["outcome"][1000:] = outcome
    assert find_silence(rows) is None


def test_failures_all_along_that_happen_to_be_the_last_are_no_silence(make_run: Make) -> None:
    rows = make_run()
    gone(rows, slice(None, None, 2), Outcome.TIMEOUT)
    gone(rows, slice(-12, None), Outcome.TIMEOUT)
    assert find_silence(rows) is None


def test_a_few_at_the_very_end_and_a_run_without_any_answer_are_no_silence(make_run: Make) -> None:
    rows = make_run()
    gone(rows, slice(-9, None), Outcome.REFUSED)
    assert find_silence(rows) is None
    gone(rows, slice(None), Outcome.REFUSED)
    assert find_silence(rows) is None
    assert find_silence(rows[:0]) is None
