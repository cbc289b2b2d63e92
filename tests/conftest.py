import os

import pytest
from hypothesis import settings

# No test depends on how fast the machine is; and what CI runs can be repeated exactly.
settings.register_profile("modeldyno", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("modeldyno")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the floor that a user keeps."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
