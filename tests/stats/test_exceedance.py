import math

import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.stats.exceedance import largest_share
from modeldyno.stats.quantiles import quantile_estimate


def queue(generator: np.random.Generator, load: float, count: int) -> NDArray[np.float64]:
    """Response times of an M/M/1 queue that serves one request a second (Lindley, 1952)."""
    total = count + 3000
    service, gaps = generator.exponential(1, total), generator.exponential(1 / load, total)
    walk = np.cumsum(np.concatenate([[0.0], service[:-1] - gaps[1:]]))
    return np.asarray((walk - np.minimum.accumulate(walk) + service)[3000:], np.float64)


@pytest.mark.parametrize(("load", "count"), ((0.3, 300), (0.6, 1000), (0.8, 1000), (0.8, 3000)))
@pytest.mark.parametrize("fraction", (0.9, 0.99))
def test_a_service_exactly_at_its_limit_seldom_passes(load: float, count: int, fraction: float) -> None:
    generator = np.random.default_rng(5)
    limit = -math.log(1 - fraction) / (1 - load)
    passed, trials = 0, 60
    for _ in range(trials):
        values = queue(generator, load, count)
        passed += largest_share(values >= limit, values, fraction) < 1 - fraction
    assert passed <= 0.09 * trials  # 2.5 % are meant; 60 trials show more than 9 % by chance in under 1 % of cases


def test_a_service_far_below_its_limit_passes_before_its_percentile_can_be_given() -> None:
    values = np.random.default_rng(5).exponential(1, 480)
    assert quantile_estimate(values, 0.99) is None
    assert largest_share(values >= 1e9, values, 0.99) < 0.01


def test_a_few_requests_show_little() -> None:
    values = np.arange(50, dtype=np.float64)
    assert largest_share(values >= 1e9, values, 0.99) > 0.01
    assert 1.0 == largest_share(np.zeros(0, np.bool_), values[:0], 0.99)


def test_a_burst_counts_for_more_than_as_many_single_requests() -> None:
    values = np.random.default_rng(5).exponential(1, 4000)
    scattered, burst = np.zeros(4000, np.bool_), np.zeros(4000, np.bool_)
    scattered[np.arange(0, 4000, 200)] = True
    burst[1000:1020] = True
    assert largest_share(burst, values, 0.99) > largest_share(scattered, values, 0.99)
