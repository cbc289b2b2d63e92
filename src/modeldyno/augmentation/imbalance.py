"""Rows chosen so that some classes are rarer than others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def unbalanced_rows(labels: NDArray[Any], ratio: float, generator: np.random.Generator) -> NDArray[np.intp]:
    """Rows, in order, of which the most frequent class has `ratio` times as many as the rarest.

    Classes are put into a random order, and their numbers of rows fall geometrically in it. Of every class at least one
    row is kept.

    Args:
        labels: one a row.
        ratio: 1 or more.
        generator: chooses order and rows.
    """
    classes, places = np.unique(labels, return_inverse=True)
    order = generator.permutation(len(classes))
    steps = np.linspace(0, 1, len(classes)) if len(classes) > 1 else np.zeros(1)
    wanted = np.empty(len(classes))
    wanted[order] = ratio**-steps
    counts = np.bincount(places, minlength=len(classes))
    # As many rows as the scarcest class allows.
    kept = np.maximum(1, np.floor(wanted * (counts / wanted).min())).astype(np.intp)
    chosen = [generator.permutation(np.flatnonzero(places == number))[: kept[number]] for number in range(len(classes))]
    return np.sort(np.concatenate(chosen))
