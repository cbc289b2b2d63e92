from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.reports import profiles, samples

from modeldyno.errors import InputError
from modeldyno.machine.peaks import keep_peaks, kept_peaks, peaks_path


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_peaks_that_were_kept_are_found_again(tmp_path: Path) -> None:
    assert kept_peaks(samples.ENVIRONMENT) is None
    assert tmp_path / "modeldyno" / "peaks.json" == keep_peaks(profiles.PEAKS, samples.ENVIRONMENT)
    assert profiles.PEAKS == kept_peaks(samples.ENVIRONMENT)


def test_another_machine_or_another_runtime_has_other_peaks() -> None:
    keep_peaks(profiles.PEAKS, samples.ENVIRONMENT)
    assert kept_peaks(replace(samples.ENVIRONMENT, cpu_model="other")) is None
    assert kept_peaks(replace(samples.ENVIRONMENT, libraries={"onnxruntime": "9"})) is None
    assert kept_peaks(replace(samples.ENVIRONMENT, kernel="7.0")) is None
    assert profiles.PEAKS == kept_peaks(replace(samples.ENVIRONMENT, load_average_1min=7.0))


def test_a_damaged_cache_is_an_error_to_read_and_replaced_when_measured_anew() -> None:
    peaks_path().parent.mkdir(parents=True)
    peaks_path().write_text("{")
    with pytest.raises(InputError):
        kept_peaks(samples.ENVIRONMENT)
    keep_peaks(profiles.PEAKS, samples.ENVIRONMENT)
    assert profiles.PEAKS == kept_peaks(samples.ENVIRONMENT)
