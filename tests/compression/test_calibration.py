from pathlib import Path

import numpy as np
import pytest

from modeldyno.compression.calibration import read_calibration, write_calibration
from modeldyno.data.files import open_dataset
from modeldyno.errors import DataError
from modeldyno.protocols import Dataset
from modeldyno.records.signature import Signature, TensorSpec


def signature(first: int | str) -> Signature:
    spec = TensorSpec(name="x", datatype="FP32", shape=(first, 2))
    return Signature(inputs=(spec,), outputs=(TensorSpec(name="y", datatype="FP32", shape=(first, 2)),))


def numbered(tmp_path: Path, rows: int) -> Dataset:
    np.savez(tmp_path / "rows.npz", X=np.arange(2 * rows, dtype=np.float32).reshape(rows, 2))
    return open_dataset(tmp_path / "rows.npz", signature("batch"), label=None)


def test_rows_are_spread_from_the_first_to_the_last(tmp_path: Path) -> None:
    dataset = numbered(tmp_path, 101)
    written = write_calibration(dataset, signature("batch"), tmp_path / "calibration.npz", most=5)
    calls = read_calibration(written)
    assert [0, 50, 100, 150, 200] == [call["x"][0, 0] for call in calls]
    assert {(1, 2)} == {call["x"].shape for call in calls}
    assert (5, 1) == (written.rows, written.rows_per_call)


def test_a_small_dataset_is_taken_whole(tmp_path: Path) -> None:
    written = write_calibration(numbered(tmp_path, 3), signature("batch"), tmp_path / "calibration.npz")
    assert [0, 2, 4] == [call["x"][0, 0] for call in read_calibration(written)]


def test_a_fixed_number_of_rows_a_call_is_kept(tmp_path: Path) -> None:
    written = write_calibration(numbered(tmp_path, 10), signature(4), tmp_path / "calibration.npz", most=8)
    assert [(4, 2), (4, 2)] == [call["x"].shape for call in read_calibration(written)]
    assert (8, 4) == (written.rows, written.rows_per_call)


def test_too_few_rows_for_one_call_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 rows are too few"):
        write_calibration(numbered(tmp_path, 3), signature(4), tmp_path / "calibration.npz")


def test_the_digest_is_that_of_the_rows(tmp_path: Path) -> None:
    dataset = numbered(tmp_path, 10)
    digests = [
        write_calibration(dataset, signature("batch"), tmp_path / f"{number}.npz", most=most).digest
        for number, most in enumerate((4, 4, 5))
    ]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0].startswith("sha256:")
