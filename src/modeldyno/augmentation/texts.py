"""Changes of texts."""

import string
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.augmentation.draws import RowDraws

_LETTERS = string.ascii_lowercase


def make_typos(array: NDArray[Any], severity: float, draws: RowDraws) -> NDArray[Any]:
    """A share of the characters exchanged with the next one, left out, doubled or replaced by a letter.

    Args:
        array: UTF-8 texts as bytes [rows, ...].
        severity: the share.
        draws: one stream a row.
    """
    made = np.empty_like(array)
    for row in range(len(array)):
        generator = draws.of_row(row)
        cells = array[row : row + 1].ravel().tolist()
        made[row : row + 1].reshape(-1)[:] = [
            _with_typos(cell.decode(errors="replace"), severity, generator).encode() for cell in cells
        ]
    return made


def _with_typos(text: str, severity: float, generator: np.random.Generator) -> str:
    signs: list[str] = []
    is_hit = generator.random(len(text)) < severity
    kinds, letters = generator.integers(0, 4, len(text)), generator.integers(0, len(_LETTERS), len(text))
    place = 0
    while place < len(text):
        sign = text[place]
        if not is_hit[place]:
            signs.append(sign)
        elif kinds[place] == 0 and place + 1 < len(text):
            signs += [text[place + 1], sign]
            place += 1
        elif kinds[place] == 1:
            pass
        elif kinds[place] == 2:
            signs += [sign, sign]
        else:
            signs.append(_LETTERS[letters[place]])
        place += 1
    return "".join(signs)
