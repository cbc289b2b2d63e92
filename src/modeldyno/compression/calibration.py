"""The rows that a quantiser looks at, in a file that its process reads."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.protocols import Dataset
from modeldyno.records.base import Record
from modeldyno.records.files import digest_file
from modeldyno.records.signature import Signature

MOST_ROWS = 128
"""Ranges of activations settle within a hundred rows; three hundred, NNCF's own number, take three times as long."""


class Calibration(Record, frozen=True, kw_only=True):
    """Rows that were written for a quantiser."""

    path: str
    """A .npz file: input name to array, all with as many rows."""
    rows: int
    rows_per_call: int
    """What the model takes at once: 1, or as many as its signature fixes."""
    digest: str
    """`sha256:` digest of the file."""

    @property
    def label(self) -> str:
        """`calibrated on 128 rows (sha256:0a1b2c3d4e5f)`."""
        return f"calibrated on {self.rows} {'row' if self.rows == 1 else 'rows'} ({self.digest[:19]})"


def write_calibration(dataset: Dataset, signature: Signature, path: Path, *, most: int = MOST_ROWS) -> Calibration:
    """Rows spread evenly over a dataset.

    Args:
        dataset: where they come from.
        signature: of the model; each input is taken.
        path: the .npz file to write.
        most: rows at most.

    Raises:
        DataError: there are fewer rows than one call takes.
    """
    first = signature.inputs[0].shape[0] if signature.inputs and signature.inputs[0].shape else 1
    step = first if isinstance(first, int) else 1
    calls = min(dataset.rows, max(most, step)) // step
    if calls < 1:
        raise DataError(f"{dataset.rows} rows are too few to calibrate with", why=f"the model takes {step} in one call")
    starts = [(dataset.rows - step) * number // max(calls - 1, 1) for number in range(calls)]
    parts = [dataset.inputs(start, start + step) for start in starts]
    arrays: dict[str, Any] = {
        spec.name: np.concatenate([part[spec.name] for part in parts]) for spec in signature.inputs
    }
    np.savez(path, **arrays)
    return Calibration(path=str(path), rows=calls * step, rows_per_call=step, digest=digest_file(path))


def read_calibration(calibration: Calibration) -> list[dict[str, NDArray[np.generic]]]:
    """The rows again, as the inputs of one call after another."""
    step = calibration.rows_per_call
    with np.load(calibration.path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return [
        {name: array[start : start + step] for name, array in arrays.items()}
        for start in range(0, calibration.rows, step)
    ]
