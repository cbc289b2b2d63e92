import math
import re
from collections.abc import Callable

import numpy as np
import pytest

from modeldyno.stats.steadiness import (
    TooShortError,
    find_breach_of_littles_law,
    find_growing_backlog,
    find_level_shift,
    find_trend,
    outstanding,
)

Queues = Callable[..., tuple[np.ndarray, np.ndarray]]


def noisy(count: int = 4000, seed: int = 1) -> np.ndarray:
    return np.asarray(1e6 + np.random.default_rng(seed).exponential(1e6, count))


@pytest.mark.parametrize("load", (0.3, 0.6, 0.8))
def test_a_steady_queue_is_not_blamed(load: float, make_queue: Queues) -> None:
    alarms = 0
    for planned, done in zip(*make_queue(60, 12_000, load, seed=5), strict=True):
        response = (done - planned).astype(np.float64)
        found = [
            find_trend(response),
            find_level_shift(response),
            find_growing_backlog(planned, done),
            find_breach_of_littles_law(planned, done),
        ]
        alarms += any(found)
    assert alarms <= 2


def test_an_overloaded_queue_has_a_growing_backlog(make_queue: Queues) -> None:
    planned, done = make_queue(20, 2000, 1.2, seed=6)
    found = [find_growing_backlog(*run) for run in zip(planned, done, strict=True)]
    assert all(found)
    assert "outstanding on average" in str(found[0])


def test_a_response_time_that_rises_by_half_is_a_trend() -> None:
    values = noisy() * np.linspace(1, 1.6, 4000)
    assert "rose" in str(find_trend(values))
    assert "fell" in str(find_trend(values[::-1]))


def test_a_response_time_that_rises_by_a_tenth_is_not_worth_a_word() -> None:
    assert find_trend(noisy(40_000) * np.linspace(1, 1.1, 40_000)) is None


def test_a_change_of_a_few_microseconds_is_not_worth_a_word_however_large_its_share() -> None:
    values = np.random.default_rng(1).exponential(20e3, 4000) * np.linspace(1, 3, 4000)
    assert find_trend(values) is None
    assert find_level_shift(values) is None


def test_a_jump_is_a_level_shift_and_its_place_is_told() -> None:
    values = noisy()
    values[2400:] *= 2
    told = re.search(r"after (\d+)% of the run", str(find_level_shift(values)))
    assert told is not None
    assert abs(int(told[1]) - 60) <= 5


def test_a_large_jump_does_not_hide_itself_behind_the_correlation_it_causes() -> None:
    values = noisy(1000)
    values[600:] *= 5
    assert find_level_shift(values) is not None


def test_a_server_that_stops_answering_is_a_level_shift() -> None:
    values = noisy()
    values[3000:] = math.inf
    assert "no answer" in str(find_level_shift(values))


def test_a_single_hiccup_of_ten_milliseconds_is_steady() -> None:
    values = noisy()
    values[2000:2010] += 10e6
    assert find_trend(values) is None
    assert find_level_shift(values) is None


def test_too_few_independent_requests_are_not_a_pass() -> None:
    with pytest.raises(TooShortError, match="independent"):
        find_trend(noisy(150))
    with pytest.raises(TooShortError):
        find_growing_backlog(np.arange(50), np.arange(50) + 1)


def test_outstanding_counts_what_was_planned_earlier_and_has_not_ended() -> None:
    assert outstanding(np.array([0, 10, 20, 30]), np.array([25, 15, -1, 40])).tolist() == [0, 1, 1, 1]


def test_stamps_that_do_not_belong_together_break_littles_law(make_queue: Queues) -> None:
    planned, done = (run[0] for run in make_queue(1, 4000, 0.5, seed=8))
    assert find_breach_of_littles_law(planned, done) is None
    # Ends that are recorded ever later than they happened: more and more seems to be in the system.
    drifting = done + ((planned - planned[0]) * 0.3).astype(np.int64)
    assert "Little's law" in str(find_breach_of_littles_law(planned, drifting))
