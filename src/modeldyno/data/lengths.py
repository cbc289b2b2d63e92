"""Lengths of the dimensions that a model leaves open, and their shares of a load."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from modeldyno.errors import DataError
from modeldyno.records.shares import parse_shares
from modeldyno.records.signature import Signature


class LengthMix(NamedTuple):
    """Lengths of one dimension."""

    dimension: str
    """Empty for the only one that there is."""
    shares: tuple[tuple[int, float], ...]
    """Each length and its share of the requests; the shares add up to 1."""


class LengthChoice(NamedTuple):
    """One length for each dimension that was chosen."""

    lengths: Mapping[str, int]
    share: float

    @property
    def name(self) -> str:
        """Such as `dim1=16`."""
        return " ".join(f"{dimension}={length}" for dimension, length in self.lengths.items())


def parse_length_mix(text: str) -> LengthMix:
    """`seq=16:0.5,128:0.5`, `dim1=128` or, when only one dimension is open, `16,128`.

    Raises:
        UsageError: a length that is no whole number above 0, or a weight that is no number above 0.
    """
    name, _, lengths = text.rpartition("=")
    shares = parse_shares(
        lengths,
        what=f"{text!r} is not a mix of lengths",
        size_name="length",
        hint="for example seq=128, or seq=16:0.9,512:0.1",
    )
    return LengthMix(name.strip(), shares)


def length_choices(mixes: Sequence[LengthMix], signature: Signature) -> list[LengthChoice]:
    """Every combination of the lengths of independent mixes, with its share.

    Raises:
        DataError: a dimension that the model's inputs do not leave open, or one that is named twice.
    """
    # dict.fromkeys keeps the order of the signature, which a set would lose.
    free = list(dict.fromkeys(size for spec in signature.inputs for size in spec.shape[1:] if isinstance(size, str)))
    named = [LengthMix(_dimension(mix.dimension, free), mix.shares) for mix in mixes]
    names = [mix.dimension for mix in named]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"the lengths of {twice} are given twice", hint="one --shape for each dimension")
    return [
        LengthChoice(
            dict(zip(names, (length for length, _ in combination), strict=True)),
            math.prod(share for _, share in combination),
        )
        for combination in itertools.product(*(mix.shares for mix in named))
    ]


def _dimension(name: str, free: Sequence[str]) -> str:
    if not free:
        raise DataError("the model has no dimension of an open length, beside that of the rows")
    if not name and len(free) == 1:
        return free[0]
    if name not in free:
        raise DataError(
            f"the model has no open dimension {name!r}" if name else "it is not said which dimension is meant",
            why=f"its inputs leave open {', '.join(free)}",
            hint=f"for example --shape {free[0]}=16:0.5,128:0.5",
        )
    return name
