from importlib.metadata import version

import pytest

from modeldyno.runtimes import installed


def test_both_runtimes_are_described_with_version_and_origin() -> None:
    states = {state.name: state for state in installed.describe_runtimes()}
    assert version("onnxruntime") == states["onnxruntime"].version
    assert "CPU" in states["onnxruntime"].detail
    assert version("scikit-learn") == states["scikit-learn"].version


def test_a_missing_runtime_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "packages_distributions", dict)
    states = {state.name: (state.version, state.detail) for state in installed.describe_runtimes()}
    assert (None, "not installed: pip install onnxruntime") == states["onnxruntime"]
    assert (None, "not installed: pip install 'modeldyno[trees]'") == states["lightgbm"]


def test_two_distributions_of_one_module_are_called_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {"onnxruntime": ["onnxruntime", "onnxruntime-gpu"], "sklearn": ["scikit-learn"]}
    monkeypatch.setattr(installed, "packages_distributions", lambda: owners)
    detail = installed.describe_runtimes()[0].detail
    assert "onnxruntime-gpu of unknown version" in detail
    assert "uninstall all but one" in detail
