"""Counting by bucket."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.server.metrics.histogram import BATCH_BOUNDS_ROWS, REQUEST_BOUNDS_NS, STAGE_BOUNDS_NS, Histogram


@given(st.lists(st.integers(0, 10**13)))
def test_every_value_is_in_one_bucket_whose_bound_it_does_not_exceed(values: list[int]) -> None:
    histogram = Histogram(STAGE_BOUNDS_NS)
    for value in values:
        histogram.observe(value)
    assert sum(values) == histogram.total
    assert len(values) == sum(histogram.counts)
    running = 0
    for bound, count in zip(STAGE_BOUNDS_NS, histogram.counts, strict=False):
        running += count
        assert sum(value <= bound for value in values) == running


@given(st.lists(st.lists(st.integers(-5, 10**13) | st.sampled_from(STAGE_BOUNDS_NS))))
def test_many_values_at_once_are_counted_as_one_by_one(blocks: list[list[int]]) -> None:
    one_by_one, at_once = Histogram(STAGE_BOUNDS_NS), Histogram(STAGE_BOUNDS_NS)
    for block in blocks:
        at_once.observe_all(np.array(block, np.int64))
        for value in block:
            one_by_one.observe(value)
    assert (one_by_one.total, one_by_one.counts) == (at_once.total, at_once.counts)


def test_what_is_on_a_bound_is_below_it_and_what_is_above_all_is_behind_the_last() -> None:
    histogram = Histogram((10, 20))
    for value in (10, 11, 20, 21, 10**20):
        histogram.observe(value)
    assert [1, 2, 2] == histogram.counts


@pytest.mark.parametrize("bounds", (REQUEST_BOUNDS_NS, STAGE_BOUNDS_NS, BATCH_BOUNDS_ROWS))
def test_the_bounds_ascend_in_steps_that_are_never_wider_than_two_and_a_half(bounds: tuple[int, ...]) -> None:
    steps = [after / before for before, after in pairwise(bounds)]
    assert 1 < min(steps) <= max(steps) <= 2.5


@pytest.mark.parametrize("limit_ms", (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000))
def test_a_round_objective_is_a_bound_so_that_its_share_can_be_read_exactly(limit_ms: int) -> None:
    assert limit_ms * 10**6 in REQUEST_BOUNDS_NS
