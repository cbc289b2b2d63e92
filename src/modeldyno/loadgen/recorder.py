"""A run on disk: `run.json` and `requests.parquet`, or the raw parts a crash leaves."""

from pathlib import Path

import msgspec
import numpy as np

from modeldyno.errors import InputError, OutputError
from modeldyno.records.files import output_problem, read_record, write_atomically, write_record
from modeldyno.records.requests import REQUEST_DTYPE
from modeldyno.records.run import Run

_RUN = "run.json"
_REQUESTS = "requests.parquet"
_PART = "requests.part-"


def part_path(directory: Path, worker: int) -> Path:
    """Where a worker's rows go while the run goes on: raw `REQUEST_DTYPE`, in the order they ended."""
    return directory / f"{_PART}{worker}"


def start_run(directory: Path, run: Run, *, replace: bool = False) -> None:
    """Make the directory of a run that begins.

    Raises:
        OutputError: it holds a run already and `replace` is False, or cannot be written to.
    """
    if (directory / _RUN).exists() and not replace:
        raise OutputError(
            f"{directory} already holds a run", why="a run is never overwritten", hint="choose another directory"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _REQUESTS).unlink(missing_ok=True)
        _remove_parts(directory)
    except OSError as problem:
        raise output_problem(directory, problem) from problem
    write_record(directory / _RUN, msgspec.structs.replace(run, state="running"))


def finish_run(directory: Path, run: Run, requests: np.ndarray) -> None:
    """Write the rows and the record of a run that ended, each whole or not at all; then drop the parts.

    Args:
        directory: the one given to `start_run`.
        run: with the state it ended in.
        requests: `REQUEST_DTYPE`, shape `(requests,)`.

    Raises:
        OutputError: the disk is full or the directory not writable; the parts, and the record of a running run,
            are then still there, and `read_run` reads them.
    """
    write_atomically(directory / _REQUESTS, _to_parquet(requests))
    write_record(directory / _RUN, run)
    try:
        _remove_parts(directory)
    except OSError as problem:
        raise output_problem(directory, problem) from problem


def read_run(directory: Path) -> tuple[Run, np.ndarray]:
    """The record and the rows of a run, in planned order.

    A run that never finished is read as interrupted, with the rows its parts hold.

    Raises:
        InputError: the directory holds no run, or one that cannot be read.
    """
    run = read_record(directory / _RUN, Run)
    path = directory / _REQUESTS
    requests = _read_parquet(path) if path.exists() else _read_parts(directory)
    if run.state == "running":
        run = msgspec.structs.replace(run, state="interrupted")
    return run, requests


def _remove_parts(directory: Path) -> None:
    for part in directory.glob(f"{_PART}*"):
        part.unlink()


def _read_parts(directory: Path) -> np.ndarray:
    parts = []
    for path in sorted(directory.glob(f"{_PART}*")):
        try:
            content = path.read_bytes()
        except OSError as problem:
            raise InputError(f"cannot read {path}", why=problem.strerror or str(problem)) from problem
        whole = len(content) // REQUEST_DTYPE.itemsize  # a crash may cut the last row short
        parts.append(np.frombuffer(content, REQUEST_DTYPE, count=whole))
    rows = np.concatenate(parts) if parts else np.empty(0, REQUEST_DTYPE)
    return rows[np.argsort(rows["planned_ns"], kind="stable")]


def _to_parquet(requests: np.ndarray) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = REQUEST_DTYPE.names or ()
    table = pa.table({name: np.ascontiguousarray(requests[name]) for name in names})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _read_parquet(path: Path) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        rows = np.empty(table.num_rows, REQUEST_DTYPE)
        for name in REQUEST_DTYPE.names or ():
            rows[name] = table.column(name).to_numpy()
    except (OSError, pa.ArrowException, KeyError, ValueError) as problem:
        raise InputError(f"{path} does not hold the requests of a run", why=str(problem)) from problem
    return rows
