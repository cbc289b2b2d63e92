import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.traffic.gamma import gamma


@given(st.floats(0.1, 1e5), st.integers(0, 300), st.integers(0, 2**63), st.floats(0.05, 50))
def test_moments_ascend_are_as_many_as_asked_and_equal_for_equal_seeds(
    rate: float, requests: int, seed: int, burstiness: float
) -> None:
    planned = gamma(rate_per_s=rate, requests=requests, seed=seed, burstiness=burstiness)

    assert requests == len(planned)
    assert np.all(np.diff(planned, prepend=0) >= 0)
    assert planned.tolist() == gamma(rate_per_s=rate, requests=requests, seed=seed, burstiness=burstiness).tolist()


@pytest.mark.parametrize("burstiness", (0.25, 0.5, 1.0, 4.0))
def test_gaps_have_the_mean_of_the_rate_and_the_variation_of_the_burstiness(burstiness: float) -> None:
    gaps = np.diff(gamma(rate_per_s=1000, requests=100_001, seed=3, burstiness=burstiness)).astype(np.float64)
    variation = gaps.std() / gaps.mean()

    assert abs(gaps.mean() / 1e6 - 1) < 5 / np.sqrt(burstiness * 100_000)
    assert abs(variation * np.sqrt(burstiness) - 1) < 0.03


@pytest.mark.parametrize(("burstiness", "dispersion"), ((0.25, 4.0), (1.0, 1.0), (4.0, 0.25)))
def test_counts_per_window_are_dispersed_by_the_squared_variation_of_the_gaps(
    burstiness: float, dispersion: float
) -> None:
    # Of a renewal process the variance-to-mean ratio of counts tends to the squared variation of its gaps
    # (Cox 1962, Renewal Theory, section 4.3); for m windows it has a relative deviation of sqrt(2/m).
    planned = gamma(rate_per_s=1000, requests=400_000, seed=5, burstiness=burstiness)
    window_ns = 100_000_000
    windows = int(planned[-1]) // window_ns
    counts = np.bincount(planned // window_ns)[:windows]

    assert abs(counts.var() / counts.mean() / dispersion - 1) < 5 * np.sqrt(2 / windows) + 0.02
