import math

import numpy as np
import pytest

from modeldyno.errors import UsageError
from modeldyno.testing.service_times import SLOW_SHARE, ServiceTimes, Shape

COUNT = 200_000
MEAN_NS = 2_000_000
SHAPES: tuple[tuple[Shape, float | None], ...] = (
    ("constant", None), ("uniform", None), ("uniform", 0.1), ("exponential", None), ("lognormal", None),
    ("lognormal", 0.3), ("bimodal", None), ("bimodal", 0.5),
)  # fmt: skip


def drawn(times: ServiceTimes, seed: int = 7) -> np.ndarray:
    return times.draw_ns(np.random.default_rng(seed), COUNT)


@pytest.mark.parametrize(("shape", "cv"), SHAPES)
def test_mean_and_variation_are_those_that_were_asked_for(shape: Shape, cv: float | None) -> None:
    times = ServiceTimes(shape=shape, mean_ns=MEAN_NS, cv=cv)
    found = drawn(times)
    # Five standard errors; that of a variation is below that of the mean for all but the heaviest tail.
    error = 5 * max(times.variation, 0.001) / math.sqrt(COUNT)
    assert pytest.approx(MEAN_NS, rel=error) == found.mean()
    assert pytest.approx(times.variation, rel=0.03, abs=1e-6) == found.std() / found.mean()
    assert found.min() >= 1


def test_a_bimodal_time_is_one_of_two_values() -> None:
    values, counts = np.unique(drawn(ServiceTimes(shape="bimodal", mean_ns=MEAN_NS, cv=2.0)), return_counts=True)
    assert [round(MEAN_NS * (1 - 2 / 3)), MEAN_NS * 7] == values.tolist()
    assert pytest.approx(SLOW_SHARE, rel=0.05) == counts[1] / COUNT


def test_an_exponential_time_forgets() -> None:
    found = drawn(ServiceTimes(shape="exponential", mean_ns=MEAN_NS))
    for times in (0.5, 1, 3):
        assert pytest.approx(math.exp(-times), rel=0.05) == np.mean(found > times * MEAN_NS)


def test_the_logarithm_of_a_lognormal_time_is_symmetric() -> None:
    found = np.log(drawn(ServiceTimes(shape="lognormal", mean_ns=MEAN_NS)))
    assert pytest.approx(found.mean(), abs=0.01) == np.median(found)
    assert pytest.approx(math.log(2), rel=0.02) == found.var()


def test_the_seed_decides_the_times() -> None:
    times = ServiceTimes(shape="exponential", mean_ns=MEAN_NS)
    assert drawn(times, 1).tolist() == drawn(times, 1).tolist()
    assert drawn(times, 1).tolist() != drawn(times, 2).tolist()


@pytest.mark.parametrize(
    ("shape", "mean_ns", "cv"),
    (
        ("gamma", 1, None), ("constant", 0, None), ("constant", 1, 0.1), ("exponential", 1, 0.5), ("uniform", 1, 0.6),
        ("lognormal", 1, -1.0), ("lognormal", 1, math.nan), ("bimodal", 1, 3.1),
    ),
)  # fmt: skip
def test_times_that_cannot_be_are_refused(shape: Shape, mean_ns: int, cv: float | None) -> None:
    with pytest.raises(UsageError):
        ServiceTimes(shape=shape, mean_ns=mean_ns, cv=cv)
