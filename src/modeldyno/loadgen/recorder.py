"""A run on disk: `run.json` and `requests.parquet`, or the raw parts a crash leaves."""

from pathlib import Path

import msgspec
import numpy as np

from modeldyno.errors import InputError, OutputError
from modeldyno.records.files import output_problem, read_file, read_record, write_atomically, write_record
from modeldyno.records.requests import REQUEST_DTYPE, TOKEN_DTYPE, empty_requests
from modeldyno.records.run import Run

_RUN = "run.json"
_REQUESTS = "requests.parquet"
_TOKENS = "tokens.parquet"
_PART = "requests.part-"
_STREAM_PART = "tokens.part-"
_SINCE_1 = frozenset(
    {"number", "connect_ns", "kind", "first_token_ns", "last_token_ns", "input_tokens", "output_tokens"}
)
"""Columns that the first version of the file did not have."""


def part_path(directory: Path, worker: int) -> Path:
    """Where a worker's rows go while the run goes on: raw `REQUEST_DTYPE`, in the order they ended."""
    return directory / f"{_PART}{worker}"


def token_part_path(directory: Path, worker: int) -> Path:
    """Where a worker's `TOKEN_DTYPE` rows go while the run goes on; made with the first of them."""
    return directory / f"{_STREAM_PART}{worker}"


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
        for name in (_REQUESTS, _TOKENS):
            (directory / name).unlink(missing_ok=True)
        _remove_parts(directory)
    except OSError as problem:
        raise output_problem(directory, problem) from problem
    write_record(directory / _RUN, msgspec.structs.replace(run, state="running"))


def finish_run(directory: Path, run: Run, requests: np.ndarray, tokens: np.ndarray | None = None) -> None:
    """Write the rows and the record of a run that ended, each whole or not at all; then drop the parts.

    Args:
        directory: the one given to `start_run`.
        run: with the state it ended in.
        requests: `REQUEST_DTYPE`, shape `(requests,)`.
        tokens: `TOKEN_DTYPE`, shape `(pieces,)`; not written when there are none.

    Raises:
        OutputError: the disk is full or the directory not writable; the parts, and the record of a running run,
            are then still there, and `read_run` reads them.
    """
    write_atomically(directory / _REQUESTS, _to_parquet(requests))
    if tokens is not None and len(tokens):
        write_atomically(directory / _TOKENS, _to_parquet(tokens))
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
    requests = _read_parquet(path) if path.exists() else _in_planned_order(_read_parts(directory, _PART, REQUEST_DTYPE))
    if run.state == "running":
        run = msgspec.structs.replace(run, state="interrupted")
    return run, requests


def read_tokens(directory: Path) -> np.ndarray:
    """The pieces of streamed answers of a run, `TOKEN_DTYPE`, by request and then by time; none if nothing streamed.

    Raises:
        InputError: they cannot be read.
    """
    path = directory / _TOKENS
    tokens = _read_parquet(path, TOKEN_DTYPE) if path.exists() else _read_parts(directory, _STREAM_PART, TOKEN_DTYPE)
    return tokens[np.argsort(tokens["number"], kind="stable")]


def _remove_parts(directory: Path) -> None:
    for pattern in (_PART, _STREAM_PART):
        for part in directory.glob(f"{pattern}*"):
            part.unlink()


def _read_parts(directory: Path, name: str, dtype: np.dtype[np.void]) -> np.ndarray:
    parts = []
    for path in sorted(directory.glob(f"{name}*")):
        content = read_file(path)
        whole = len(content) // dtype.itemsize  # a crash may cut the last row short
        parts.append(np.frombuffer(content, dtype, count=whole))
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _in_planned_order(rows: np.ndarray) -> np.ndarray:
    return rows[np.argsort(rows["planned_ns"], kind="stable")]


def _to_parquet(rows: np.ndarray) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or ()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _read_parquet(path: Path, dtype: np.dtype[np.void] = REQUEST_DTYPE) -> np.ndarray:
    """Rows of a file; columns that an older version did not write say that nothing is known."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        rows = empty_requests(table.num_rows) if dtype == REQUEST_DTYPE else np.empty(table.num_rows, dtype)
        for name in dtype.names or ():
            if name in _SINCE_1 and name not in table.column_names:
                continue
            rows[name] = table.column(name).to_numpy()
    except (OSError, pa.ArrowException, KeyError, ValueError) as problem:
        raise InputError(f"{path} does not hold the requests of a run", why=str(problem)) from problem
    return rows
