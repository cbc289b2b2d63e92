"""From a model's output tensors to one answer a row."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import as_numbers
from modeldyno.errors import DataError
from modeldyno.protocols import Tensors
from modeldyno.quality.labels import Array, plain_labels
from modeldyno.records.artifact import Task
from modeldyno.records.pipeline import STAGE_OUTPUT
from modeldyno.records.signature import Signature

_SCORE_NAMES = ("prob", "score")
_LOGIT_NAMES = ("logit", "decision")


def answers_from(outputs: Tensors, signature: Signature, task: Task, classes: Sequence[int | str]) -> Array:
    """The predicted label, or value, of each row.

    Classification (and `unknown`, which falls through to a value where no rule for labels fits):

    1. A one-dimensional output of integers, booleans or BYTES (or one of shape [N, 1]) is the label; an integer is
       an index when the classes are text. Among several, the one with `label` or `class` in its name.
    2. Else a float output [N, C] with C > 1 is scores: the class of the largest. Among several, the one with `prob`
       or `score` in its name.
    3. Else a float output [N] or [N, 1] is the score of the second of two classes: at least 0 when its name says
       `logit` or `decision`, at least 0.5 when all values lie between 0 and 1. Any other is ambiguous.

    Regression and ranking: the one numeric output [N] or [N, 1]. Embedding: the float output [N, D]. Sequence: the
    integer output [N, L], or the BYTES output [N].

    Args:
        outputs: by name, as a session returns them. Any number of rows: no rule depends on the other rows, except that
            a nameless score outside 0 to 1 makes its whole chunk ambiguous, and so the data.
        signature: gives the order of the outputs.
        task: of the model.
        classes: labels in the order of the score columns; empty when unknown, then the column's number is the label.

    Raises:
        DataError: when no rule fits, when it is ambiguous, or when an answer is NaN or infinite.
    """
    found = _in_order(outputs, signature)
    _require_numbers(found)
    if task not in ("classification", "unknown"):
        return {"embedding": _vectors, "sequence": _sequences}.get(task, _values)(found)
    labels = _pick({name: array for name, array in found.items() if _is_label(array)}, ("label", "class"))
    if labels is not None:
        return _named(plain_labels(labels, "the model's answers"), classes)
    scores = _pick(_score_matrices(found), _SCORE_NAMES)
    if scores is not None:
        _require_columns(scores.shape[1], classes)
        return _named(scores.argmax(axis=1), classes, is_index=True)
    if task == "unknown":
        return _values(found)
    return _named(_positives(found), classes, is_index=True)


def pick_score_matrix(outputs: Tensors, signature: Signature) -> tuple[str, Array] | None:
    """The float output [N, C] that holds scores, with its name; None when there is none."""
    candidates = _score_matrices(_in_order(outputs, signature))
    picked = _pick(candidates, _SCORE_NAMES)
    return None if picked is None else next((name, one) for name, one in candidates.items() if one is picked)


def pick_positives(outputs: Tensors, signature: Signature) -> tuple[str, Array] | None:
    """The output [N] or [N, 1] that holds the score of the second of two classes; None when none does.

    A score without `logit` or `decision` in its name is one only between 0 and 1.
    """
    found = _score_columns(_in_order(outputs, signature))
    candidates = {name: array for name, array in found.items() if array.dtype.kind == "f"}
    picked = _pick(candidates, (*_SCORE_NAMES, *_LOGIT_NAMES))
    if picked is None:
        return None
    name = next(name for name, one in candidates.items() if one is picked)
    is_score = any(word in name.lower() for word in _LOGIT_NAMES) or (picked.min() >= 0 and picked.max() <= 1)
    return (name, picked) if is_score else None


def _in_order(outputs: Tensors, signature: Signature) -> dict[str, Array]:
    names = [spec.name for spec in signature.outputs if spec.name != STAGE_OUTPUT]  # says who answered, not what
    missing = [name for name in names if name not in outputs]
    if missing:
        raise DataError(f"the model gave no output {missing[0]!r}, which its signature promises")
    return {name: as_numbers(np.asarray(outputs[name])) for name in names}


def _require_numbers(found: dict[str, Array]) -> None:
    for name, array in found.items():
        if array.dtype.kind == "f" and not np.isfinite(array.astype(np.float64)).all():
            rows = np.flatnonzero(~np.isfinite(array.astype(np.float64)).reshape(len(array), -1).all(axis=1))
            raise DataError(
                f"the model's output {name!r} is NaN or infinite in {rows.size:,} of {len(array):,} rows, "
                f"first in row {rows[0]}",
                hint="check the data of that row, or use a higher precision",
            )


def _is_label(array: Array) -> bool:
    is_column = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)
    return is_column and array.dtype.kind in "biuOSU"


def _score_matrices(found: dict[str, Array]) -> dict[str, Array]:
    return {
        name: array
        for name, array in found.items()
        if array.dtype.kind == "f" and array.ndim == 2 and array.shape[1] > 1
    }


def _score_columns(found: dict[str, Array]) -> dict[str, Array]:
    return {
        name: array.reshape(-1)
        for name, array in found.items()
        if array.dtype.kind in "fiu" and (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1))
    }


def _pick(candidates: dict[str, Array], words: Sequence[str]) -> Array | None:
    """The only candidate, or the only one whose name says what it is; None without candidates."""
    if len(candidates) > 1:
        candidates = {
            name: array for name, array in candidates.items() if any(word in name.lower() for word in words)
        } or candidates
    if len(candidates) > 1:
        raise DataError(
            f"the model has several outputs that could be the answer: {', '.join(candidates)}",
            hint=f"keep one of them in the model, or name it with {' or '.join(map(repr, words))}",
        )
    return next(iter(candidates.values()), None)


def _require_columns(columns: int, classes: Sequence[int | str]) -> None:
    if classes and columns != len(classes):
        raise DataError(
            f"the model gives {columns} scores a row and has {len(classes)} classes",
            hint="give data and classes of the same model",
        )


def _named(codes: Array, classes: Sequence[int | str], *, is_index: bool = False) -> Array:
    """Codes as labels: by position when they are indices, or when they are integers and the classes are text."""
    if not classes or codes.dtype.kind == "U":
        return codes
    names = plain_labels(np.asarray(classes), "the model's classes")
    if not is_index and names.dtype.kind != "U":
        return codes
    positions = codes.astype(np.int64)
    if positions.size and not 0 <= positions.min() <= positions.max() < len(names):
        raise DataError(f"the model answered class number {positions.max()}, and has {len(names)} classes")
    return names[positions]


def _values(found: dict[str, Array]) -> NDArray[np.float64]:
    columns = _score_columns(found)
    value = _pick(columns, ("variable", "value", "prediction"))
    if value is None:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in found.items())
        raise DataError(
            f"no output holds one value a row: {shapes}",
            hint="a regression with several targets cannot be judged yet; keep one output of shape [N] or [N, 1]",
        )
    return value.astype(np.float64)


def _vectors(found: dict[str, Array]) -> Array:
    picked = _pick(_score_matrices(found), ("embed", "vector", "pool"))
    if picked is None:
        raise DataError(
            f"no output holds one vector a row: {_shapes(found)}",
            hint="expected a float output [N, D]; one vector for each token has to be pooled in the model",
        )
    return picked


def _sequences(found: dict[str, Array]) -> Array:
    candidates = {
        name: array
        for name, array in found.items()
        if (array.ndim == 2 and array.dtype.kind in "iu" and array.shape[1] > 1)
        or (_is_label(array) and array.dtype.kind in "OSU")
    }
    picked = _pick(candidates, ("sequence", "token", "text"))
    if picked is None:
        raise DataError(f"no output holds a sequence a row: {_shapes(found)}", hint="expected INT [N, L] or BYTES [N]")
    return picked


def _shapes(found: dict[str, Array]) -> str:
    return ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in found.items())


def _positives(found: dict[str, Array]) -> NDArray[np.int64]:
    columns = {name: array for name, array in _score_columns(found).items() if array.dtype.kind == "f"}
    picked = _pick(columns, (*_SCORE_NAMES, *_LOGIT_NAMES))
    if picked is None:
        shapes = ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in found.items())
        raise DataError(f"no output looks like the answer of a classifier: {shapes}", hint="expected [N] or [N, C]")
    name = next(key for key, array in columns.items() if array is picked)
    score = picked.astype(np.float64)
    if any(word in name.lower() for word in _LOGIT_NAMES):
        return np.asarray(score >= 0, np.int64)
    if score.size and not (score.min() >= 0 and score.max() <= 1):
        raise DataError(
            f"output {name!r} has one score a row, from {score.min():.3g} to {score.max():.3g}: a logit or a value?",
            why="a probability lies between 0 and 1, and the threshold of anything else is not known",
            hint="add a sigmoid to the model, name the output 'logits', or say that the task is regression",
        )
    return np.asarray(score >= 0.5, np.int64)
