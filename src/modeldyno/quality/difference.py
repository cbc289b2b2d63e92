"""Where an answer differs from the expected one: tensors by name, or JSON documents."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import as_numbers
from modeldyno.quality.closeness import closeness

_MOST_SHOWN = 80


class Difference(NamedTuple):
    """The first place at which two answers differ."""

    place: str
    """Such as `probabilities[0, 3]` or `scores[2].label`; empty for the whole answer."""
    expected: str
    received: str


def tensor_difference(
    expected: Mapping[str, NDArray[Any]], received: Mapping[str, NDArray[Any]], tolerance: float
) -> Difference | None:
    """The first difference between outputs of the same names; None when there is none.

    Numbers with a fraction are equal as `modeldyno.quality.closeness` has it, with one tolerance for both; whole
    numbers, truths and texts must be the same as expected.
    Shapes are equal when they are so but for dimensions of length 1. Outputs that nothing is expected of are not
    looked at.

    Args:
        expected: name to array; texts are arrays of `bytes`.
        received: as `expected`; one output without a name (the key is empty) is taken for the only one expected.
        tolerance: relative and absolute.
    """
    for name, wanted in expected.items():
        got = received.get("" if len(expected) == 1 and set(received) == {""} else name)
        if got is None:
            return Difference(name, "an output", f"only {', '.join(received) or 'none'}")
        if _squeezed(wanted.shape) != _squeezed(got.shape):
            return Difference(name, f"shape {list(wanted.shape)}", f"shape {list(got.shape)}")
        got = got.reshape(wanted.shape)
        if wanted.dtype == got.dtype and np.array_equal(wanted, got):
            continue  # nearly all answers are the same to the bit, and this takes a fifth of the time of comparing
        differing = _differing(wanted, got, tolerance)
        if differing.any():
            place = tuple(int(index) for index in np.argwhere(differing)[0])
            indices = f"[{', '.join(map(str, place))}]" if place else ""
            shown = (_shown(as_numbers(array)[place]) for array in (wanted, got))
            return Difference(f"{name}{indices}", *shown)
    return None


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _differing(wanted: NDArray[Any], got: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    kinds = {as_numbers(wanted).dtype.kind, as_numbers(got).dtype.kind}
    if kinds <= set("iuf") or len(kinds) == 1:
        return ~closeness(wanted, got, relative=tolerance, absolute=tolerance)
    return np.ones(wanted.shape, bool)


def document_difference(expected: object, received: object, tolerance: float, place: str = "") -> Difference | None:
    """The first difference between two JSON documents; numbers with a fraction as in `tensor_difference`.

    Members that nothing is expected of are not looked at, so that a time stamp or an id in the answer does no harm;
    lists must be of the same length.
    """
    found: Difference | None = None
    if isinstance(expected, dict) and isinstance(received, dict):
        for name, wanted in expected.items():
            inner = f"{place}.{name}" if place else str(name)
            if name not in received:
                return Difference(inner, _shown(wanted), "no such member")
            found = document_difference(wanted, received[name], tolerance, inner)
            if found:
                break
    elif isinstance(expected, list) and isinstance(received, list):
        if len(expected) != len(received):
            return Difference(place, f"{len(expected)} items", f"{len(received)} items")
        pairs = enumerate(zip(expected, received, strict=True))
        found = next(
            (
                one
                for index, (wanted, got) in pairs
                if (one := document_difference(wanted, got, tolerance, f"{place}[{index}]"))
            ),
            None,
        )
    elif not _is_same(expected, received, tolerance):
        found = Difference(place, _shown(expected), _shown(received))
    return found


def _is_same(expected: object, received: object, tolerance: float) -> bool:
    if _is_number(expected) and _is_number(received) and (isinstance(expected, float) or isinstance(received, float)):
        return bool(np.isclose(float(received), float(expected), tolerance, tolerance, equal_nan=True))  # type: ignore[arg-type]
    return type(expected) is type(received) and expected == received


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else None
    shown = repr(text if text is not None else value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
