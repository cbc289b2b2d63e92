"""Whole numbers with weights, such as `16:0.9,512:0.1`, and the share of each."""

import math

from modeldyno.errors import UsageError


def parse_shares(text: str, *, what: str, size_name: str, hint: str) -> tuple[tuple[int, float], ...]:
    """The numbers in order, each with its share; the shares add up to 1.

    Args:
        text: numbers, each with a weight behind a colon or with none, which weighs 1; named again, it weighs more.
        what: the first line of the error.
        size_name: what a number is, for the error, such as `length`.
        hint: of the error.

    Raises:
        UsageError: a number that is none above 0, or a weight that is none above 0.
    """
    weights: dict[int, float] = {}
    for part in text.split(","):
        size, colon, weight = part.strip().partition(":")
        try:
            number, heavy = int(size), float(weight) if colon else 1.0
        except ValueError:
            number, heavy = 0, 0.0
        if number < 1 or not 0 < heavy < math.inf:
            why = f"{part.strip()!r} is not a {size_name} above 0, nor a {size_name} and its weight"
            raise UsageError(what, why=why, hint=hint)
        weights[number] = weights.get(number, 0.0) + heavy
    total = math.fsum(weights.values())
    return tuple((number, weight / total) for number, weight in sorted(weights.items()))
