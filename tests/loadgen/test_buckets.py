import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.loadgen.buckets import COUNT, count_in_buckets, quantile_ns


@given(durations=st.lists(st.integers(1, 2**39), min_size=1, max_size=300), fraction=st.floats(0.01, 1))
def test_a_quantile_is_within_a_bucket_of_the_true_one(durations: list[int], fraction: float) -> None:
    exact = np.quantile(durations, fraction, method="inverted_cdf")
    found = quantile_ns(count_in_buckets(np.array(durations)), fraction)

    assert found == pytest.approx(exact, rel=0.05)


def test_every_duration_is_counted_once() -> None:
    counts = count_in_buckets(np.array([-5, 0, 1, 10**6, 2**62]))

    assert (COUNT, 5) == (len(counts), counts.sum())


def test_nothing_counted_has_no_quantile() -> None:
    assert quantile_ns(np.zeros(COUNT, np.int64), 0.99) is None
