from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeldyno.errors import InputError
from modeldyno.loadgen.trace import read_trace


def written(directory: Path, text: str) -> Path:
    path = directory / "trace.csv"
    path.write_text(text)
    return path


def test_moments_count_from_the_first_and_sizes_come_along(tmp_path: Path) -> None:
    arrivals, digest = read_trace(written(tmp_path, "timestamp,rows,user\n1000.5,1,a\n1000.75,8,b\n1002,1,c\n"))

    assert [0, 250_000_000, 1_500_000_000] == arrivals.moments_ns.tolist()
    assert arrivals.rows is not None
    assert [1, 8, 1] == arrivals.rows.tolist()
    assert digest.startswith("sha256:")


def test_a_single_column_needs_no_name_that_we_know(tmp_path: Path) -> None:
    arrivals, _ = read_trace(written(tmp_path, "when\n1\n3\n"))

    assert [0, 2_000_000_000] == arrivals.moments_ns.tolist()
    assert arrivals.rows is None


def test_dates_are_moments_too_whatever_their_zone(tmp_path: Path) -> None:
    dates = "2026-01-31 10:00:00.25\n2026-01-31 10:00:00.250000100\n2026-01-31 10:00:01.25\n"
    arrivals, _ = read_trace(written(tmp_path, f"TIMESTAMP\n{dates}"))
    assert [0, 100, 1_000_000_000] == arrivals.moments_ns.tolist()

    path = tmp_path / "zoned.parquet"
    moments = pa.array([0, 1500], pa.timestamp("ms", "Europe/Berlin"))
    pq.write_table(pa.table({"time": moments, "size": [1, 2]}), path)
    arrivals, _ = read_trace(path)
    assert [0, 1_500_000_000] == arrivals.moments_ns.tolist()


def test_a_file_that_is_no_text_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(b"\x1f\xa4\x00,\xff\n\x80,1\n")

    with pytest.raises(InputError, match="cannot be read"):
        read_trace(path)


@pytest.mark.parametrize("values", ("7,9,7", "b,a,b"))
def test_a_column_of_questions_tells_which_requests_ask_the_same(tmp_path: Path, values: str) -> None:
    rows = "".join(f"{moment},{value}\n" for moment, value in enumerate(values.split(",")))
    arrivals, _ = read_trace(written(tmp_path, f"timestamp,question\n{rows}"))

    assert arrivals.questions is not None
    assert [0, 1, 0] == arrivals.questions.tolist()


def test_parquet_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "trace.parquet"
    pq.write_table(pa.table({"timestamp": [5.0, 5.5], "rows": [2, 3]}), path)
    arrivals, _ = read_trace(path)

    assert [0, 500_000_000] == arrivals.moments_ns.tolist()
    assert arrivals.rows is not None
    assert [2, 3] == arrivals.rows.tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    (
        ("", "cannot be read"),
        ("timestamp\n", "holds no request"),
        ("timestamp\n2\n1\n", "not in order"),
        ("timestamp\nnoon\n", "does not hold numbers"),
        ("timestamp,rows\n1,1\n,1\n", "no number in row 2"),
        ("timestamp,rows\n2026-01-31 10:00:00,1\n,1\n", "no number in row 2"),
        ("timestamp\n1763769600031\n1763769600094\n", "says 1,763,769,600,094 s"),
        ("timestamp,rows\n1,0\n", "says 0 rows in row 1"),
        ("timestamp,rows\n1,1.5\n", "says 1.5 rows in row 1"),
        ("a,b\n1,2\n", "no column of moments"),
        ("timestamp,question\n1,2\n2,\n", "empty in 1 of 2 rows"),
    ),
)
def test_a_trace_that_cannot_be_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_trace(written(tmp_path, text))


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nope\.csv"):
        read_trace(tmp_path / "nope.csv")


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "trace.parquet").write_text("no")
    with pytest.raises(InputError, match="cannot be read"):
        read_trace(tmp_path / "trace.parquet")
