import pytest
from tests.reports import samples

import modeldyno
from modeldyno.api import checkup
from modeldyno.machine.floors import floors_path, kept_floor


def test_a_measured_floor_is_kept_for_later_runs(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(checkup, "_measure_floor", lambda *_: samples.floor())
    found = modeldyno.doctor()
    assert samples.floor() == found.floor == kept_floor(found.environment)


def test_without_a_measurement_nothing_is_kept(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    assert modeldyno.doctor(floor=False).floor is None
    assert not floors_path().exists()
