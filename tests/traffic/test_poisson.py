import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.traffic.poisson import poisson

SEEDS = st.integers(0, 2**63)


@given(rate=st.floats(0.1, 1e6), requests=st.integers(0, 500), seed=SEEDS)
def test_moments_ascend_and_are_as_many_as_asked(rate: float, requests: int, seed: int) -> None:
    planned = poisson(rate_per_s=rate, requests=requests, seed=seed)

    assert requests == len(planned)
    assert np.all(np.diff(planned) >= 0)
    assert np.all(planned >= 0)


@given(seed=SEEDS)
def test_equal_seeds_give_equal_schedules(seed: int) -> None:
    first = poisson(rate_per_s=500, requests=50, seed=seed)

    assert first.tolist() == poisson(rate_per_s=500, requests=50, seed=seed).tolist()


def test_other_seeds_give_other_schedules() -> None:
    schedules = {tuple(poisson(rate_per_s=500, requests=20, seed=seed).tolist()) for seed in range(20)}

    assert 20 == len(schedules)


def test_the_rate_is_the_one_asked_for() -> None:
    planned = poisson(rate_per_s=500, requests=200_000, seed=3)

    # The total of n exponential gaps has a relative deviation of 1/sqrt(n); five of them.
    assert abs(planned[-1] / 1e9 - 400) < 400 * 5 / np.sqrt(200_000)


def test_counts_per_window_are_dispersed_as_a_poisson_process_is() -> None:
    # A grid has a variance-to-mean ratio near 0, bursts one above 1. For m windows it has deviation sqrt(2/m).
    planned = poisson(rate_per_s=1000, requests=200_000, seed=5)
    for window_ns in (10_000_000, 100_000_000):
        windows = int(planned[-1]) // window_ns
        counts = np.bincount(planned // window_ns)[:windows]
        assert abs(counts.var() / counts.mean() - 1) < 5 * np.sqrt(2 / windows)


def test_gaps_follow_the_exponential_distribution() -> None:
    gaps = np.sort(np.diff(poisson(rate_per_s=1000, requests=100_001, seed=7)))
    expected = 1 - np.exp(-gaps / 1e6)
    steps = np.arange(1, len(gaps) + 1) / len(gaps)
    distance = np.max(np.abs(steps - expected))

    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is exceeded once in a thousand samples; the seed is fixed.
    assert distance < 1.95 / np.sqrt(len(gaps))


def test_a_gap_tells_nothing_about_the_next_one() -> None:
    gaps = np.diff(poisson(rate_per_s=1000, requests=100_001, seed=9)).astype(np.float64)
    correlation = np.corrcoef(gaps[:-1], gaps[1:])[0, 1]

    assert abs(correlation) < 4 / np.sqrt(len(gaps))
