import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from modeldyno.errors import InputError, OutputError
from modeldyno.loadgen.recorder import finish_run, part_path, read_run, start_run
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.run import Run


def answered(count: int) -> np.ndarray:
    rows = empty_requests(count)
    rows["planned_ns"] = np.arange(count) * 1_000
    rows["sent_ns"] = rows["planned_ns"] + 5
    rows["done_ns"] = rows["planned_ns"] + 100
    rows["outcome"] = Outcome.OK
    rows["measured"] = np.arange(count) >= 3
    return rows


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """No file may become larger, as on a disk with so much left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_finished_run_is_read_back_as_it_was(tmp_path: Path, run_record: Run) -> None:
    complete = msgspec.structs.replace(run_record, state="complete")
    start_run(tmp_path / "run", run_record)
    finish_run(tmp_path / "run", complete, answered(100))

    run, requests = read_run(tmp_path / "run")
    assert complete == run
    assert answered(100).tobytes() == requests.tobytes()


def test_a_finished_run_leaves_two_files_and_no_parts(tmp_path: Path, run_record: Run) -> None:
    start_run(tmp_path, run_record)
    part_path(tmp_path, 0).write_bytes(answered(5).tobytes())
    finish_run(tmp_path, run_record, answered(5))

    assert ["requests.parquet", "run.json"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_run_that_never_finished_is_interrupted_with_the_rows_of_its_parts_in_planned_order(
    tmp_path: Path, run_record: Run
) -> None:
    rows = answered(10)
    start_run(tmp_path, run_record)
    part_path(tmp_path, 0).write_bytes(rows[[4, 0, 2]].tobytes())
    part_path(tmp_path, 1).write_bytes(rows[[3, 1]].tobytes())

    run, requests = read_run(tmp_path)
    assert "interrupted" == run.state
    assert rows[:5].tobytes() == requests.tobytes()


def test_a_row_that_a_crash_cut_short_is_left_out(tmp_path: Path, run_record: Run) -> None:
    start_run(tmp_path, run_record)
    part_path(tmp_path, 0).write_bytes(answered(3).tobytes()[:-7])

    assert 2 == len(read_run(tmp_path)[1])


def test_a_run_that_ended_before_its_first_row_has_none(tmp_path: Path, run_record: Run) -> None:
    start_run(tmp_path, run_record)

    run, requests = read_run(tmp_path)
    assert ("interrupted", 0) == (run.state, len(requests))


def test_a_run_is_not_overwritten(tmp_path: Path, run_record: Run) -> None:
    start_run(tmp_path, run_record)

    with pytest.raises(OutputError, match="already holds a run"):
        start_run(tmp_path, run_record)


def test_a_run_that_is_replaced_leaves_no_old_rows(tmp_path: Path, run_record: Run) -> None:
    start_run(tmp_path, run_record)
    finish_run(tmp_path, run_record, answered(5))
    start_run(tmp_path, run_record, replace=True)

    assert 0 == len(read_run(tmp_path)[1])


def test_a_full_disk_at_the_end_is_named_and_leaves_what_the_parts_hold(tmp_path: Path, run_record: Run) -> None:
    rows = answered(5_000)
    rows["done_ns"] += np.random.default_rng(1).integers(0, 2**40, len(rows))
    start_run(tmp_path, run_record)
    part_path(tmp_path, 0).write_bytes(rows.tobytes())
    with largest_file(4_096), pytest.raises(OutputError) as caught:
        finish_run(tmp_path, msgspec.structs.replace(run_record, state="complete"), rows)

    assert "requests.parquet" in caught.value.what
    run, requests = read_run(tmp_path)
    assert "interrupted" == run.state
    assert rows.tobytes() == requests.tobytes()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, run_record: Run) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="file"):
        start_run(tmp_path / "file" / "run", run_record)


def test_a_directory_without_a_run_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json"):
        read_run(tmp_path)


def test_a_corrupt_parquet_file_is_an_input_error(tmp_path: Path, run_record: Run) -> None:
    start_run(tmp_path, run_record)
    finish_run(tmp_path, run_record, answered(5))
    (tmp_path / "requests.parquet").write_bytes(b"PAR1 something else PAR1")

    with pytest.raises(InputError, match=r"requests\.parquet"):
        read_run(tmp_path)
