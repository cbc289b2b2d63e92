"""Where the marks of an axis go: steps of 1, 2 or 5 on a linear axis, decades on a logarithmic one."""

import math

from modeldyno.records.base import Record

_SLACK = 1e-9
"""Relative slack, so that a limit that is itself a tick is not lost to rounding."""


class LogTicks(Record, frozen=True, kw_only=True):
    """Marks of a logarithmic axis."""

    labelled: tuple[float, ...]
    """1-2-5 within the decades where they have room, or else decades; a linear scale's where neither fits."""
    unlabelled: tuple[float, ...]
    """The whole multiples of each decade that carry no label."""


def linear_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high], in the smallest step that needs at most `most`.

    Raises:
        ValueError: unless low < high and `most` is at least 2.
    """
    if not low < high or most < 2:
        raise ValueError(f"no axis from {low} to {high} with {most} ticks")
    exponent = math.floor(math.log10((high - low) / most))
    for power in (exponent, exponent + 1):
        for factor in (1, 2, 5):
            ticks = _multiples(low, high, factor, power)
            if len(ticks) <= most:
                return ticks
    return _multiples(low, high, 1, exponent + 2)


def _multiples(low: float, high: float, factor: int, power: int) -> tuple[float, ...]:
    step = factor * 10.0**power
    first, last = math.ceil(low / step - _SLACK), math.floor(high / step + _SLACK)
    # Division by a whole power of ten gives the nearest float to the decimal (0.3), which 3 * 0.1 does not.
    return tuple(_scaled(index * factor, power) for index in range(first, last + 1))


def _scaled(multiple: int, power: int) -> float:
    return float(multiple * 10**power) if power >= 0 else multiple / 10**-power


def log_ticks(low: float, high: float, most: int = 7) -> LogTicks:
    """Marks within [low, high] for a logarithmic axis, with at most `most` labels.

    Raises:
        ValueError: unless 0 < low < high and `most` is at least 2.
    """
    if not 0 < low < high or most < 2:
        raise ValueError(f"no logarithmic axis from {low} to {high} with {most} labels")
    exponents = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    marks = [(factor, _scaled(factor, power)) for power in exponents for factor in range(1, 10)]
    seen = [(factor, mark) for factor, mark in marks if low * (1 - _SLACK) <= mark <= high * (1 + _SLACK)]
    fine = tuple(mark for factor, mark in seen if factor in (1, 2, 5))
    decades = tuple(mark for factor, mark in seen if factor == 1)
    if 2 <= len(fine) <= most:
        labelled = fine
    elif len(decades) >= 2:
        labelled = decades[:: math.ceil(len(decades) / most)]
    else:
        return LogTicks(labelled=linear_ticks(low, high, most), unlabelled=())
    return LogTicks(labelled=labelled, unlabelled=tuple(mark for _, mark in seen if mark not in labelled))
