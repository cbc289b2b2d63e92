import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.errors import InputError
from modeldyno.machine.floors import floors_path, keep_floor, kept_floor

FLOOR = samples.floor()
WHEN = "2026-03-14T09:00:00+00:00"


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_a_floor_that_was_kept_is_found_again(tmp_path: Path) -> None:
    assert kept_floor(samples.ENVIRONMENT) is None
    assert tmp_path / "modeldyno" / "floor.json" == keep_floor(FLOOR, samples.ENVIRONMENT, WHEN)
    assert FLOOR == kept_floor(samples.ENVIRONMENT)


def test_the_load_of_the_moment_changes_no_floor_but_another_kernel_does() -> None:
    keep_floor(FLOOR, samples.ENVIRONMENT, WHEN)
    assert FLOOR == kept_floor(replace(samples.ENVIRONMENT, load_average_1min=7.0))
    assert kept_floor(replace(samples.ENVIRONMENT, kernel="7.0")) is None
    assert kept_floor(replace(samples.ENVIRONMENT, libraries={"uvloop": "9"})) is None


def test_two_machines_may_share_a_cache_and_the_newer_floor_of_each_counts() -> None:
    other, faster = replace(samples.ENVIRONMENT, cpu_model="other"), replace(FLOOR, highest_rate_per_s=1.0)
    keep_floor(FLOOR, samples.ENVIRONMENT, WHEN)
    keep_floor(FLOOR, other, WHEN)
    keep_floor(faster, other, WHEN)
    assert (FLOOR, faster) == (kept_floor(samples.ENVIRONMENT), kept_floor(other))


def test_a_damaged_cache_is_an_error_to_read_and_replaced_when_measured_anew() -> None:
    floors_path().parent.mkdir(parents=True)
    floors_path().write_text("{")
    with pytest.raises(InputError):
        kept_floor(samples.ENVIRONMENT)
    keep_floor(FLOOR, samples.ENVIRONMENT, WHEN)
    assert FLOOR == kept_floor(samples.ENVIRONMENT)


def test_a_relative_cache_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert floors_path().is_relative_to(os.path.expanduser("~/.cache"))  # noqa: PTH111 - the text a user would type
