from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.traffic.replay import Arrivals, replay

MOMENTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=100).map(
    lambda moments: np.array(sorted(moments), np.int64) - min(moments)
)


@given(MOMENTS)
def test_without_speed_and_scale_the_replay_is_the_recording(moments: np.ndarray) -> None:
    rows = np.arange(1, len(moments) + 1)
    played = replay(Arrivals(moments, rows), speed=1, scale=1, seed=1)

    assert moments.tolist() == played.moments_ns.tolist()
    assert played.rows is not None
    assert rows.tolist() == played.rows.tolist()


@given(MOMENTS, st.floats(0.1, 10))
def test_speed_compresses_every_moment_alike(moments: np.ndarray, speed: float) -> None:
    played = replay(Arrivals(moments, None), speed=speed, scale=1, seed=1).moments_ns

    assert np.all(np.abs(played - moments / speed) <= 0.5 + 1e-3)


@given(MOMENTS, st.floats(0.1, 5), st.integers(0, 2**63))
def test_a_scaled_replay_ascends_within_the_recording_and_is_equal_for_equal_seeds(
    moments: np.ndarray, scale: float, seed: int
) -> None:
    played = replay(Arrivals(moments, None), speed=1, scale=scale, seed=seed)

    assert np.all(np.diff(played.moments_ns) >= 0)
    assert not len(played.moments_ns) or played.moments_ns[-1] <= moments[-1]
    assert np.floor(scale) * len(moments) <= len(played.moments_ns) <= np.ceil(scale) * len(moments)
    again = replay(Arrivals(moments, None), speed=1, scale=scale, seed=seed)
    assert played.moments_ns.tolist() == again.moments_ns.tolist()


@pytest.mark.parametrize("scale", (0.3, 1.5, 2.5))
def test_scale_multiplies_the_number_and_keeps_the_sizes_in_proportion(scale: float) -> None:
    count = 40_000
    rows = np.tile([1, 1, 1, 9], count // 4)
    played = replay(Arrivals(np.arange(count) * 1_000_000, rows), speed=1, scale=scale, seed=3)

    assert abs(len(played.moments_ns) - scale * count) < 5 * np.sqrt(count * 0.25)
    assert played.rows is not None
    assert abs(np.mean(played.rows == 9) - 0.25) < 5 * np.sqrt(0.25 * 0.75 / (scale * count))


def test_copies_are_spread_over_the_gap_and_not_sent_in_bursts() -> None:
    played = replay(Arrivals(np.arange(10_000) * 1_000_000, None), speed=1, scale=2, seed=3).moments_ns
    shifts = (played % 1_000_000)[played % 1_000_000 > 0] / 1e6

    assert abs(shifts.mean() - 0.5) < 5 * np.sqrt(1 / 12 / len(shifts))
    assert shifts.min() < 0.01
    assert shifts.max() > 0.99


def test_copies_ask_questions_of_their_own() -> None:
    """Twice the traffic repeats itself as much as what was recorded."""
    recorded = Arrivals(np.array([0, 100, 200, 300]), None, np.array([0, 1, 0, 1]))
    doubled = replay(recorded, speed=1, scale=2, seed=1)
    assert doubled.questions is not None
    assert {0: 2, 1: 2, 2: 2, 3: 2} == Counter(doubled.questions.tolist())
    halved = replay(recorded, speed=1, scale=0.5, seed=1)
    assert halved.questions is not None
    assert len(halved.moments_ns) == len(halved.questions)
    assert set(halved.questions.tolist()) <= {0, 1}
