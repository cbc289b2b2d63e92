"""How long each prompt and each answer is."""

import math

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.prompting import MOST_TOKENS, Lengths
from modeldyno.seeds import child_generator


def draw_lengths(lengths: Lengths, *, count: int, seed: int, use: str) -> NDArray[np.int64]:
    """Whole lengths of at least 1.

    A lognormal of mean m and standard deviation s has the parameters sigma² = ln(1 + (s/m)²) and mu = ln m - sigma²/2
    (Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", vol. 1, chapter 14). A draw of a normal
    below 1 becomes 1, which lifts the mean where the standard deviation is more than about half of it.

    Args:
        lengths: the distribution.
        count: how many.
        seed: the run's root seed; equal seeds and uses give equal lengths.
        use: what they are for, so that prompts and answers are independent.

    Returns:
        Shape `(count,)`.
    """
    generator = child_generator(seed, f"lengths/{use}")
    first, second = lengths.first, lengths.second
    if lengths.shape == "fixed":
        return np.full(count, int(first), np.int64)
    if lengths.shape == "uniform":
        return generator.integers(int(first), int(second), count, endpoint=True)
    if lengths.shape == "normal":
        drawn = generator.normal(first, second, count)
    else:
        variance = math.log1p((second / first) ** 2)
        drawn = generator.lognormal(math.log(first) - variance / 2, math.sqrt(variance), count)
    return np.clip(np.rint(drawn), 1, MOST_TOKENS).astype(np.int64)
