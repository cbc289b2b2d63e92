"""Whether a converted or compressed artifact answers as the original does, row by row."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import as_numbers
from modeldyno.errors import DataError, ToolError
from modeldyno.protocols import Dataset, Session, Tensors
from modeldyno.quality.proportions import wilson
from modeldyno.records.artifact import Parity, Task

Answers = Callable[[Tensors], NDArray[Any]]
"""From the outputs of one batch to one answer a row: a label, or a value (or several)."""

RELATIVE_TOLERANCE = 1e-3
"""Single precision keeps about 7 digits and sums of some hundred terms lose three; more is a difference that shows."""

_SMALL_BATCHES = (1, 3)
"""One row finds dimensions frozen at export with an example batch, three find those frozen at one."""

_SMALL_BATCH_ROWS = 24
_LARGE_BATCH = 256


def check_parity(
    original: Session,
    candidate: Session,
    dataset: Dataset,
    *,
    task: Task,
    answers: Answers,
    data: Literal["real", "synthetic"],
    most_rows: int = 10_000,
) -> Parity:
    """Run both on the same rows and compare answers and outputs; then the candidate on batches of 1 and 3.

    A flip is another label; for a regression or an unknown task, a value further off than `RELATIVE_TOLERANCE` of the
    original's (or of the median size of its values, where that is larger: near zero a ratio means nothing).
    Dynamic quantisation takes its scales from the whole batch, so an honest int8 candidate may be inconsistent
    between batches; whether that is accepted is for the caller to say.

    Args:
        original: the model as it came.
        candidate: the artifact in question.
        dataset: rows; labels are not used.
        task: decides what a flip is.
        answers: from output tensors to answers.
        data: where the rows came from.
        most_rows: stop after so many.

    Raises:
        DataError: there are fewer rows than one call needs.
        ToolError: either session fails, gives another number of rows than it got, or the candidate answers NaN or
            infinity where the original does not.
    """
    rows, step, small = _batches(candidate, min(dataset.rows, most_rows))
    expected = _run(original, dataset, rows, step)
    found = _run(candidate, dataset, rows, step)
    expected_answers, found_answers = answers(expected), answers(found)
    flipped = _differ(expected_answers, found_answers, task)
    flips = int(flipped.sum())
    return Parity(
        rows=rows,
        batch_sizes=small or (step,),
        flips=flips,
        flip_rate=wilson(flips, rows),
        largest_difference=_largest_difference(expected, found),
        relative_tolerance=RELATIVE_TOLERANCE,
        batch_consistent=all(_is_consistent(candidate, dataset, size, task, answers, found_answers) for size in small),
        data=data,
    )


def _batches(candidate: Session, rows: int) -> tuple[int, int, tuple[int, ...]]:
    """Rows to compare, rows a call, and the small batches to try: none where the number of rows a call is fixed."""
    signature = candidate.signature
    first = signature.inputs[0].shape[0] if signature.inputs and signature.inputs[0].shape else 1
    if isinstance(first, str):
        small = tuple(size for size in _SMALL_BATCHES if size <= rows) if signature.has_batch_dimension else ()
        step = _LARGE_BATCH if signature.has_batch_dimension else 1
    else:
        small, step = (), first
        rows -= rows % step
    if rows < 1:
        raise DataError(f"parity needs at least {step} rows", why="the model takes that many in one call")
    return rows, min(step, rows), small


def _run(session: Session, dataset: Dataset, rows: int, step: int) -> dict[str, NDArray[Any]]:
    """The outputs for the first `rows`, in calls of `step`."""
    parts = [_call(session, dataset, start, min(start + step, rows)) for start in range(0, rows, step)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _call(session: Session, dataset: Dataset, start: int, stop: int) -> dict[str, NDArray[Any]]:
    outputs = session.run(dataset.inputs(start, stop))
    for name, output in outputs.items():
        if output.ndim == 0 or len(output) != stop - start:
            raise ToolError(
                f"output {name!r} has the shape {list(output.shape)} for a batch of {stop - start}",
                why="its batch dimension was frozen when it was exported, or it mixes rows",
                hint="export the model again with a batch dimension that varies",
            )
    return outputs


def _differ(expected: NDArray[Any], found: NDArray[Any], task: Task) -> NDArray[np.bool_]:
    """For each row, whether the answers differ."""
    if expected.shape != found.shape:
        raise ToolError(f"answers have the shape {list(found.shape)}, the original's {list(expected.shape)}")
    if task == "classification" or expected.dtype.kind not in "iuf":
        differs = np.asarray(expected != found)
    else:
        exact, approximate = expected.astype(np.float64), found.astype(np.float64)
        sizes = np.abs(exact[np.isfinite(exact)])
        scale = np.maximum(np.abs(exact), np.median(sizes) if sizes.size else 0.0)
        with np.errstate(invalid="ignore"):
            close = np.abs(approximate - exact) <= RELATIVE_TOLERANCE * scale
        differs = ~(close | (exact == approximate) | (np.isnan(exact) & np.isnan(approximate)))
    return np.asarray(differs.reshape(len(differs), -1).any(axis=1))


def _largest_difference(expected: dict[str, NDArray[Any]], found: dict[str, NDArray[Any]]) -> float:
    """Over the float outputs that both have; integer and text outputs are labels."""
    largest = 0.0
    for name in expected.keys() & found.keys():
        wanted, got = as_numbers(expected[name]), as_numbers(found[name])
        if wanted.dtype.kind != "f" or not wanted.size:
            continue
        if wanted.shape != got.shape:
            raise ToolError(f"output {name!r} has the shape {list(got.shape)}, the original's {list(wanted.shape)}")
        exact, approximate = wanted.astype(np.float64), got.astype(np.float64)
        broken = np.isfinite(exact) & ~np.isfinite(approximate)
        if broken.any():
            raise ToolError(
                f"output {name!r} holds {int(broken.sum())} NaN or infinite values where the original's has numbers",
                why=f"the first is in row {int(np.argwhere(broken)[0][0])} (counted from 0)",
                hint="the model needs more range or precision than this artifact has",
            )
        both = np.isfinite(exact)
        largest = max(largest, float(np.abs(exact - approximate)[both].max(initial=0.0)))
    return largest


def _is_consistent(
    candidate: Session, dataset: Dataset, size: int, task: Task, answers: Answers, bulk: NDArray[Any]
) -> bool:
    rows = min(_SMALL_BATCH_ROWS, len(bulk))
    rows -= rows % size
    alone = answers(_run(candidate, dataset, rows, size))
    return not _differ(bulk[:rows], alone, task).any()
