import math

import numpy as np
import pytest

from modeldyno.records.prompting import parse_lengths
from modeldyno.traffic.lengths import draw_lengths

COUNT = 20_000


def _draw(text: str, seed: int = 1, use: str = "prompts") -> np.ndarray:
    return draw_lengths(parse_lengths(text), count=COUNT, seed=seed, use=use)


def test_a_fixed_length_is_that_length() -> None:
    assert {64} == set(_draw("64").tolist())


def test_a_uniform_length_takes_both_ends() -> None:
    drawn = _draw("uniform:3-6")
    assert {3, 4, 5, 6} == set(drawn.tolist())
    counts = np.bincount(drawn)[3:]
    # Chi-square with 3 degrees of freedom: 16.3 is exceeded once in a thousand seeds.
    assert 16.3 > float(((counts - COUNT / 4) ** 2 / (COUNT / 4)).sum())


@pytest.mark.parametrize("shape", ("normal", "lognormal"))
def test_mean_and_standard_deviation_are_those_asked_for(shape: str) -> None:
    drawn = _draw(f"{shape}:256,64")
    assert 256 == pytest.approx(float(drawn.mean()), abs=4 * 64 / math.sqrt(COUNT))
    assert 64 == pytest.approx(float(drawn.std()), rel=0.05)


def test_a_lognormal_is_skewed_and_a_normal_is_not() -> None:
    for shape, least, most in (("normal", -0.1, 0.1), ("lognormal", 0.6, 1.0)):
        drawn = _draw(f"{shape}:400,100").astype(float)
        skew = float((((drawn - drawn.mean()) / drawn.std()) ** 3).mean())
        assert least < skew < most, shape


def test_no_length_is_below_one() -> None:
    assert 1 == _draw("normal:2,8").min()


def test_equal_seeds_give_equal_lengths_and_uses_are_independent() -> None:
    assert (_draw("normal:256,64") == _draw("normal:256,64")).all()
    assert (_draw("normal:256,64") != _draw("normal:256,64", seed=2)).any()
    assert (_draw("normal:256,64") != _draw("normal:256,64", use="answers")).any()
