from pathlib import Path

import pytest

from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction


def test_stolen_time_is_the_eighth_figure_of_all_cores(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 10 20 800 5 0 5 60 7 3\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\n")
    assert ProcessorTime(stolen=60, whole=1000) == ProcessorTime.read(stat)


def test_the_share_is_of_the_time_between_two_readings() -> None:
    assert 0.25 == stolen_fraction(ProcessorTime(10, 1000), ProcessorTime(60, 1200))


@pytest.mark.parametrize("text", ("", "cpu 1 2 3 4\n", "intr 1 2 3 4 5 6 7 8 9\n"))
def test_a_kernel_that_does_not_tell_is_no_error(tmp_path: Path, text: str) -> None:
    stat = tmp_path / "stat"
    stat.write_text(text)
    assert ProcessorTime.read(stat) is None
    assert ProcessorTime.read(tmp_path / "missing") is None


def test_nothing_is_told_of_no_time() -> None:
    one = ProcessorTime(10, 1000)
    assert stolen_fraction(one, one) is None
    assert stolen_fraction(None, one) is None
    assert stolen_fraction(one, None) is None
