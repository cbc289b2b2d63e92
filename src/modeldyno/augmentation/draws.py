"""Random numbers of which each row has its own, however rows are cut into blocks."""

import numpy as np
from numpy.typing import NDArray

_BLOCK_ROWS = 64
"""Rows that share a stream: one for each would take longer than a small model."""


class RowDraws:
    """Numbers for rows: those of a row depend on seed and row only.

    Args:
        seed: of all streams, 64 bits.
        start: number of the first row.
        rows: how many.
    """

    def __init__(self, seed: int, start: int, rows: int) -> None:
        self._seed = seed
        self._start = start
        self._rows = rows
        first, last = start // _BLOCK_ROWS, (start + max(rows, 1) - 1) // _BLOCK_ROWS
        self._blocks = [self._generator(block, 0) for block in range(first, last + 1)]

    def normal(self, *shape: int) -> NDArray[np.float64]:
        """Standard normal numbers [rows, ...]."""
        return self._mine([block.standard_normal((_BLOCK_ROWS, *shape)) for block in self._blocks])

    def uniform(self, *shape: int) -> NDArray[np.float64]:
        """Numbers [rows, ...] from 0 to 1."""
        return self._mine([block.random((_BLOCK_ROWS, *shape)) for block in self._blocks])

    def signs(self) -> NDArray[np.float64]:
        """-1 or 1 for each row."""
        return np.where(self.uniform() < 0.5, -1.0, 1.0)

    def of_row(self, row: int) -> np.random.Generator:
        """A stream for one row, counted from the first of these, whose rows need different amounts of numbers."""
        return self._generator(self._start + row, 1)

    def _generator(self, place: int, kind: int) -> np.random.Generator:
        # The counter of Philox is 256 bits: the place in the upper ones keeps streams apart (Salmon et al. 2011).
        return np.random.Generator(np.random.Philox(key=self._seed, counter=[0, 0, kind, place]))

    def _mine(self, blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        skipped = self._start % _BLOCK_ROWS
        return np.concatenate(blocks)[skipped : skipped + self._rows]
