import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.traffic.profiles import PROFILES, mean_rate_per_s, ramp, spike, step
from modeldyno.traffic.varying import Piece, moments_of, varying

RATES = st.floats(0.5, 1e4)
PIECES = st.lists(st.builds(Piece, st.floats(0.1, 100), RATES, RATES), min_size=1, max_size=5)


def expected_until(seconds: float, pieces: list[Piece]) -> float:
    total = 0.0
    for piece in pieces:
        inside = min(seconds, piece.seconds)
        slope = (piece.to_per_s - piece.from_per_s) / piece.seconds
        total += piece.from_per_s * inside + slope * inside**2 / 2
        seconds -= inside
    return total + seconds * pieces[-1].to_per_s


@given(PIECES, st.floats(0.001, 1.5))
def test_the_moment_of_an_expected_count_is_the_inverse_of_the_count_at_that_moment(
    pieces: list[Piece], share: float
) -> None:
    ordinal = share * sum(piece.expected for piece in pieces)
    moment = moments_of(np.array([ordinal]), pieces)[0]

    assert ordinal == pytest.approx(expected_until(float(moment), pieces), rel=1e-6)


@given(PIECES, st.integers(0, 300), st.integers(0, 2**63))
def test_moments_ascend_are_as_many_as_asked_and_equal_for_equal_seeds(
    pieces: list[Piece], requests: int, seed: int
) -> None:
    planned = varying(pieces, requests=requests, seed=seed)

    assert requests == len(planned)
    assert np.all(np.diff(planned, prepend=0) >= 0)
    assert planned.tolist() == varying(pieces, requests=requests, seed=seed).tolist()


def test_a_ramp_has_the_requests_of_its_rate_in_every_tenth_of_it() -> None:
    pieces = ramp(100.0, 100.0, 1900.0)
    planned = varying(pieces, requests=100_000, seed=7)
    counts = np.histogram(planned, bins=np.arange(11) * 10_000_000_000)[0]

    for tenth, count in enumerate(counts[:9]):  # the last one depends on where chance let the plan end
        expected = expected_until(10.0 * (tenth + 1), pieces) - expected_until(10.0 * tenth, pieces)
        assert abs(count - expected) < 5 * np.sqrt(expected)


def test_counts_within_a_ramp_are_dispersed_as_a_poisson_process_is() -> None:
    pieces = ramp(100.0, 500.0, 1500.0)
    planned = varying(pieces, requests=90_000, seed=9)
    edges = np.arange(0, 800) * 0.1
    counts = np.histogram(planned / 1e9, bins=edges)[0]
    expected = np.diff([expected_until(float(edge), pieces) for edge in edges])

    assert abs(np.mean((counts - expected) ** 2 / expected) - 1) < 5 * np.sqrt(2 / len(counts))


def test_a_step_climbs_in_equal_levels_from_the_first_rate_to_the_last() -> None:
    assert [(25.0, 10.0), (25.0, 20.0), (25.0, 30.0), (25.0, 40.0)] == [
        (piece.seconds, piece.to_per_s) for piece in step(100.0, 10.0, 40.0, 4)
    ]


def test_a_spike_is_as_high_in_the_middle_fifth_and_calm_around_it() -> None:
    planned = varying(spike(100.0, 100.0, 1000.0), requests=28_000, seed=11)
    before, inside, after = np.histogram(planned / 1e9, bins=[0, 40, 60, 99])[0]

    assert abs(before - 4_000) < 5 * np.sqrt(4_000)
    assert abs(inside - 20_000) < 5 * np.sqrt(20_000)
    assert abs(after - 3_900) < 5 * np.sqrt(28_000)  # its end moves by what chance left over before


@pytest.mark.parametrize(("name", "mean"), (("ramp", 55.0), ("step", 55.0), ("spike", 28.0)))
def test_the_mean_rate_is_that_of_the_requests_over_the_time(name: str, mean: float) -> None:
    profiles = {str(key): value for key, value in PROFILES.items()}

    assert mean == pytest.approx(mean_rate_per_s(profiles[name](7.0, 10.0, 100.0, 2)))
