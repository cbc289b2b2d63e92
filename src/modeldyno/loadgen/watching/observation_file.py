"""What was seen of the server, beside the requests of a run: `observations`, `gpus` and `metrics`, each `.parquet`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modeldyno.errors import InputError
from modeldyno.records.files import write_atomically
from modeldyno.records.observation import GPU_DTYPE, OBSERVATION_DTYPE, MetricSample

_OBSERVATIONS = "observations.parquet"
_GPUS = "gpus.parquet"
_METRICS = "metrics.parquet"


def write_observations(directory: Path, rows: np.ndarray) -> None:
    """Write `OBSERVATION_DTYPE` rows; none, no file.

    Raises:
        OutputError: see `write_atomically`.
    """
    _write_rows(directory / _OBSERVATIONS, rows, OBSERVATION_DTYPE)


def read_observations(directory: Path) -> np.ndarray | None:
    """The samples of a run's server; None when none were kept.

    Raises:
        InputError: the file is damaged.
    """
    return _read_rows(directory / _OBSERVATIONS, OBSERVATION_DTYPE)


def write_gpus(directory: Path, rows: np.ndarray) -> None:
    """Write `GPU_DTYPE` rows; none, no file.

    Raises:
        OutputError: see `write_atomically`.
    """
    _write_rows(directory / _GPUS, rows, GPU_DTYPE)


def read_gpus(directory: Path) -> np.ndarray | None:
    """The samples of the machine's GPUs; None when none were kept.

    Raises:
        InputError: the file is damaged.
    """
    return _read_rows(directory / _GPUS, GPU_DTYPE)


def write_metrics(directory: Path, samples: Sequence[MetricSample]) -> None:
    """Write every sample of the server's metrics, one row each; none, no file.

    Raises:
        OutputError: see `write_atomically`.
    """
    if samples:
        _write(
            directory / _METRICS,
            {name: [getattr(one, name) for one in samples] for name in MetricSample._fields},
        )


def _write_rows(path: Path, rows: np.ndarray, dtype: np.dtype[np.void]) -> None:
    if len(rows):
        _write(path, {name: np.ascontiguousarray(rows[name]) for name in dtype.names or ()})


def _read_rows(path: Path, dtype: np.dtype[np.void]) -> np.ndarray | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
        rows = np.empty(table.num_rows, dtype)
        for name in dtype.names or ():
            rows[name] = table.column(name).to_numpy()
    except (OSError, pa.ArrowException, KeyError, ValueError) as problem:
        raise InputError(f"{path} does not hold what was seen of a server", why=str(problem)) from problem
    return rows


def _write(path: Path, columns: dict[str, object]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    write_atomically(path, bytes(sink.getvalue()))
