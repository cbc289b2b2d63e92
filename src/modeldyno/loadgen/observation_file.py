"""What was seen of the server, beside the requests of a run: `observations.parquet` and `metrics.parquet`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modeldyno.errors import InputError
from modeldyno.records.files import write_atomically
from modeldyno.records.observation import OBSERVATION_DTYPE, MetricSample

_OBSERVATIONS = "observations.parquet"
_METRICS = "metrics.parquet"


def write_observations(directory: Path, rows: np.ndarray) -> None:
    """Write `OBSERVATION_DTYPE` rows; none, no file.

    Raises:
        OutputError: see `write_atomically`.
    """
    if not len(rows):
        return
    names = OBSERVATION_DTYPE.names or ()
    _write(directory / _OBSERVATIONS, {name: np.ascontiguousarray(rows[name]) for name in names})


def read_observations(directory: Path) -> np.ndarray | None:
    """The samples of a run's server; None when none were kept.

    Raises:
        InputError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = directory / _OBSERVATIONS
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
        rows = np.empty(table.num_rows, OBSERVATION_DTYPE)
        for name in OBSERVATION_DTYPE.names or ():
            rows[name] = table.column(name).to_numpy()
    except (OSError, pa.ArrowException, KeyError, ValueError) as problem:
        raise InputError(f"{path} does not hold the observations of a run", why=str(problem)) from problem
    return rows


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


def _write(path: Path, columns: dict[str, object]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    write_atomically(path, bytes(sink.getvalue()))
