"""How long a known server takes for a request: distributions with a given mean and coefficient of variation."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import UsageError

Shape = Literal["constant", "uniform", "exponential", "lognormal", "bimodal"]
SLOW_SHARE = 0.1
"""`bimodal`: the share of the slow ones, which is what a cache that misses, or one long prompt in ten, looks like."""
_USUAL_CV: dict[Shape, float] = {
    "constant": 0.0,
    "uniform": 0.5,
    "exponential": 1.0,
    "lognormal": 1.0,
    "bimodal": 2.0,
}
_LEAST_NS = 1


class ServiceTimes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A distribution of service times.

    Args:
        shape: `constant`; `uniform` about the mean; `exponential`; `lognormal`; `bimodal` is one of two values, the
            larger one in a tenth of all cases.
        mean_ns: above 0.
        cv: standard deviation over mean; None takes 0, 0.5, 1, 1 and 2, in the order above. Fixed for `constant` and
            `exponential`; a `uniform` one stays below 0.577 and a `bimodal` one below 3, for none is negative.

    Raises:
        UsageError: no such distribution exists.
    """

    shape: Shape = "constant"
    mean_ns: int
    cv: float | None = None

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            raise UsageError(f"{self.shape!r} is no shape of service times", hint=", ".join(get_args(Shape)))
        if self.mean_ns < 1:
            raise UsageError(f"a mean service time of {self.mean_ns} ns cannot be")
        low, high = _cv_limits(self.shape)
        if not low <= self.variation <= high:
            raise UsageError(
                f"{self.shape} service times cannot have a coefficient of variation of {self.variation:g}",
                why=f"it lies between {low:g} and {high:.3g}",
            )

    @property
    def variation(self) -> float:
        """The coefficient of variation: standard deviation over mean."""
        return _USUAL_CV[self.shape] if self.cv is None else self.cv

    def draw_ns(self, generator: np.random.Generator, count: int) -> NDArray[np.int64]:
        """So many independent service times, at least 1 ns each."""
        drawn = _DRAWS[self.shape](generator, count, self.variation) * self.mean_ns
        return np.maximum(np.rint(drawn), _LEAST_NS).astype(np.int64)


def _cv_limits(shape: Shape) -> tuple[float, float]:
    if shape in ("constant", "exponential"):
        return _USUAL_CV[shape], _USUAL_CV[shape]
    return 0.0, {
        "uniform": 1 / math.sqrt(3),
        "lognormal": math.inf,
        "bimodal": math.sqrt((1 - SLOW_SHARE) / SLOW_SHARE),
    }[shape]


# Each gives `count` values of mean 1 and standard deviation `cv`.


def _constant(_generator: np.random.Generator, count: int, _cv: float) -> NDArray[np.float64]:
    return np.ones(count)


def _uniform(generator: np.random.Generator, count: int, cv: float) -> NDArray[np.float64]:
    half = math.sqrt(3) * cv
    return generator.uniform(1 - half, 1 + half, count)


def _exponential(generator: np.random.Generator, count: int, _cv: float) -> NDArray[np.float64]:
    return generator.exponential(1.0, count)


def _lognormal(generator: np.random.Generator, count: int, cv: float) -> NDArray[np.float64]:
    variance = math.log1p(cv * cv)
    return generator.lognormal(-variance / 2, math.sqrt(variance), count)


def _bimodal(generator: np.random.Generator, count: int, cv: float) -> NDArray[np.float64]:
    odds = math.sqrt((1 - SLOW_SHARE) / SLOW_SHARE)
    return np.where(generator.random(count) < SLOW_SHARE, 1 + cv * odds, 1 - cv / odds)


_DRAWS: dict[Shape, Callable[[np.random.Generator, int, float], NDArray[np.float64]]] = {
    "constant": _constant,
    "uniform": _uniform,
    "exponential": _exponential,
    "lognormal": _lognormal,
    "bimodal": _bimodal,
}
