"""`prepare`: the constants of processing learnt from training data."""

from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modeldyno import __version__
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.asked import Asked
from modeldyno.data.files import open_rows
from modeldyno.data.inferred import infer_inputs
from modeldyno.errors import OutputError, UsageError
from modeldyno.preparation.prepare import Fitted, fit_steps
from modeldyno.protocols import Dataset
from modeldyno.records.files import output_problem, read_record, write_record
from modeldyno.records.preparation import Preparation, Prepared
from modeldyno.records.processing import Processing
from modeldyno.records.signature import Signature

Place = str | PathLike[str]


def prepare(
    data: Place,
    steps: Place | Preparation,
    *,
    out: Place | None = None,
    rows_out: Place | None = None,
    label: str | None = None,
    force: bool = False,
    clock: Clock | None = None,
) -> Prepared:
    """Learn what a preparation needs to know from training rows, all of them in memory.

    The document that comes of it runs the same way on whatever rows come later: in a data document, so that `evaluate`
    and `tune` see prepared rows, and in front of a model, by `combine`, so that a server prepares its requests.

    Args:
        data: file or folder with training rows.
        steps: the steps, or a `.json` file with them.
        out: where the document with the constants goes.
        rows_out: where the prepared rows go, a `.npz` file: cleaned, with their labels as `y`.
        label: column or array with the labels; they are not prepared.
        force: replace what is there.
        clock: the clock of the record.

    Raises:
        InputError: the steps are no such document.
        DataError: the rows cannot be read, or say nothing about a constant.
        UsageError: a step does not fit what is there.
        OutputError: a place is taken or cannot be written.
    """
    clock, path = clock or SystemClock(), Path(data)
    preparation = steps if isinstance(steps, Preparation) else read_record(Path(steps), Preparation)
    if rows_out is not None and Path(rows_out).suffix.lower() != ".npz":
        raise UsageError(f"prepared rows cannot be written as {rows_out}", hint="end it in .npz")
    for place in (out, rows_out):
        _refuse_existing(place, force=force)
    inputs = preparation.inputs or infer_inputs(path, label)
    dataset = open_rows(path, Asked(Signature(inputs=inputs, outputs=()), label=label, may_miss=True))
    labels = dataset.labels
    fitted = fit_steps(preparation, _all_rows(dataset), labels, {spec.name: spec for spec in inputs})
    processing = Processing(operations=fitted.operations, inputs=inputs)
    if out is not None:
        write_record(Path(out), processing)
    if rows_out is not None:
        _write_rows(Path(rows_out), fitted)
    return Prepared(
        tool_version=__version__,
        prepared_at=clock.wall_time(),
        data=dataset.describe(),
        data_digest=dataset.digest,
        rows=len(next(iter(fitted.tensors.values()))),
        dropped=fitted.dropped,
        processing=processing,
        outputs=tuple(fitted.specs.values()),
    )


def _all_rows(dataset: Dataset) -> dict[str, NDArray[np.generic]]:
    return dataset.inputs(0, dataset.rows)


def _refuse_existing(place: Place | None, *, force: bool) -> None:
    if place is not None and Path(place).exists() and not force:
        raise OutputError(f"{place} is there already", hint="--force replaces it")


def _write_rows(path: Path, fitted: Fitted) -> None:
    arrays = {
        name: np.array([text.decode(errors="replace") for text in array.ravel().tolist()]).reshape(array.shape)
        if array.dtype == object
        else array
        for name, array in fitted.tensors.items()
    }
    if fitted.labels is not None:
        if "y" in arrays:
            raise UsageError("the labels cannot be written as 'y'", why="a prepared tensor is called so")
        arrays["y"] = fitted.labels
    try:
        with path.open("wb") as stream:
            np.savez(stream, **arrays, allow_pickle=False)
    except OSError as problem:
        raise output_problem(path, problem) from problem
