"""Which changes there are, what their strength means, and what they can be made of."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.augmentation.draws import RowDraws
from modeldyno.augmentation.images import blur, crop, mirror, rotate, shift
from modeldyno.augmentation.numbers import add_noise, change_brightness, lose_values
from modeldyno.augmentation.spread import Spread
from modeldyno.augmentation.texts import make_typos
from modeldyno.errors import DataError, UsageError
from modeldyno.records.robustness import Perturbation, PerturbationKind
from modeldyno.records.signature import DATATYPES, TensorSpec

Array = NDArray[Any]
MEANINGS: dict[PerturbationKind, str] = {
    "noise": "standard deviations of the data, added as Gaussian noise",
    "brightness": "of the data's range, added to or taken from all values of a row",
    "missing": "of the values replaced by the mean of their column",
    "blur": "pixels of standard deviation, Gaussian",
    "rotation": "degrees, either way",
    "crop": "of each side cut off, the rest enlarged",
    "mirror": "of the images with left and right exchanged",
    "shift": "pixels to one of four sides, what comes in repeats the edge",
    "typos": "of the characters exchanged, left out, doubled or replaced",
    "imbalance": "rows of the most frequent class for one of the rarest",
}
"""What the severity is."""
_USUAL: dict[PerturbationKind, tuple[float, ...]] = {
    "noise": (0.05, 0.1, 0.2, 0.5, 1),
    "brightness": (0.05, 0.1, 0.2, 0.4),
    "missing": (0.05, 0.1, 0.2, 0.5),
    "blur": (0.5, 1, 2, 4),
    "rotation": (5, 10, 20, 45),
    "crop": (0.05, 0.1, 0.2, 0.4),
    "mirror": (1,),
    "shift": (1, 2, 4),
    "typos": (0.02, 0.05, 0.1, 0.2),
    "imbalance": (2, 5, 10),
}
_SHARES = ("missing", "crop", "mirror", "typos")
_OF_NUMBERS: dict[PerturbationKind, Callable[[Array, float, Spread, RowDraws], Array]] = {
    "noise": add_noise,
    "brightness": change_brightness,
    "missing": lose_values,
}
_OF_IMAGES: dict[PerturbationKind, Callable[[Array, float, Spread, RowDraws], Array]] = {
    "blur": blur,
    "rotation": rotate,
    "crop": crop,
    "mirror": mirror,
    "shift": shift,
}
_PIXELS = ("UINT8", "FP16", "FP32", "FP64")


def parse_perturbations(text: str) -> tuple[Perturbation, ...]:
    """Changes such as `noise=0.05:0.1:0.2,blur=2,rotation`; without numbers, the usual severities.

    Raises:
        UsageError: an unknown kind, the same kind twice, or a severity that it cannot have.
    """
    found: list[Perturbation] = []
    for part in text.split(","):
        name, equals, levels = part.strip().partition("=")
        kind = next((one for one in MEANINGS if one == name), None)
        if kind is None:
            raise UsageError(f"{name!r} is no change of rows", hint=f"one of: {', '.join(MEANINGS)}")
        if any(one.kind == kind for one in found):
            raise UsageError(f"{kind} is asked for twice", hint=f"put its severities together: {kind}=0.1:0.2")
        severities = _severities(kind, levels) if equals else _USUAL[kind]
        found.append(Perturbation(kind=kind, severities=severities))
    return tuple(found)


def _severities(kind: PerturbationKind, text: str) -> tuple[float, ...]:
    try:
        severities = tuple(sorted(float(one) for one in text.split(":")))
    except ValueError as problem:
        raise UsageError(f"{kind}={text} is no severity", hint=f"for example {kind}={_USUAL[kind][0]}") from problem
    top = 1.0 if kind in _SHARES else np.inf
    for severity in severities:
        fits = 1 <= severity < np.inf if kind == "imbalance" else 0 < severity < np.inf and severity <= top
        if not fits or (kind == "crop" and severity == 1):
            raise UsageError(f"{kind} cannot have the severity {severity:g}", why=f"it is {MEANINGS[kind]}")
    return severities


def is_changed(kind: PerturbationKind, spec: TensorSpec) -> bool:
    """Whether this kind of change is one of this input."""
    if kind == "typos":
        return spec.datatype == "BYTES"
    if kind in _OF_IMAGES:
        return spec.datatype in _PIXELS and channel_axis(spec) is not None
    return kind in _OF_NUMBERS and spec.datatype in _PIXELS


def channel_axis(spec: TensorSpec) -> int | None:
    """Where the channels of images are: 3 or 1; None where the input holds none."""
    if len(spec.shape) != 4:
        return None
    return next((axis for axis in (3, 1) if spec.shape[axis] in (1, 3)), None)


def changed(
    array: Array, kind: PerturbationKind, severity: float, spec: TensorSpec, *, spread: Spread | None, draws: RowDraws
) -> Array:
    """Rows of one input, changed; of the datatype they had.

    Args:
        array: the rows.
        kind: one for which `is_changed`.
        severity: see `MEANINGS`.
        spec: the input.
        spread: of the data; None for texts.
        draws: one stream a row.
    """
    if spread is None:
        return make_typos(array, severity, draws)
    numbers = array.astype(np.float64)
    if kind in _OF_NUMBERS:
        made = _OF_NUMBERS[kind](numbers, severity, spread, draws)
    elif channel_axis(spec) == 1:
        made = _OF_IMAGES[kind](numbers.transpose(0, 2, 3, 1), severity, spread, draws).transpose(0, 3, 1, 2)
    else:
        made = _OF_IMAGES[kind](numbers, severity, spread, draws)
    dtype = np.dtype(DATATYPES[spec.datatype])
    if dtype.kind == "u":
        limits = np.iinfo(dtype)
        made = np.clip(np.rint(made), limits.min, limits.max)
    return np.ascontiguousarray(made.astype(dtype))


def require_changeable(perturbation: Perturbation, inputs: tuple[TensorSpec, ...]) -> None:
    """Let some input be what this change is a change of.

    Raises:
        DataError: none is.
    """
    if perturbation.kind == "imbalance" or any(is_changed(perturbation.kind, spec) for spec in inputs):
        return
    wanted = "texts" if perturbation.kind == "typos" else "images" if perturbation.kind in _OF_IMAGES else "numbers"
    told = ", ".join(f"{spec.name} {spec.datatype} {list(spec.shape)}" for spec in inputs)
    raise DataError(
        f"{perturbation.kind} cannot be done to the rows of this model",
        why=f"it is a change of {wanted}, and the inputs are {told}",
        hint=f"choose another one of: {', '.join(MEANINGS)}",
    )
