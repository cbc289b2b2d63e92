from pathlib import Path

import pytest

from modeldyno.api.served.worker_folder import LIMITS, SLOTS, worker_folder
from modeldyno.errors import OutputError


def test_a_folder_is_there_while_it_is_used(tmp_path: Path) -> None:
    with worker_folder(tmp_path) as folder:
        assert (folder / SLOTS).is_dir()
        assert (folder / LIMITS).is_file()
        assert 0o700 == folder.stat().st_mode & 0o777
    assert [] == list(tmp_path.iterdir())


def test_the_folder_of_a_server_that_was_killed_is_removed_and_that_of_another_is_not(tmp_path: Path) -> None:
    killed = tmp_path / "modeldyno-workers-killed"
    killed.mkdir()
    (killed / "lock").write_bytes(b"")
    strange = tmp_path / "modeldyno-workers-strange"
    strange.mkdir()
    with worker_folder(tmp_path) as one, worker_folder(tmp_path) as other:
        assert {one, other, strange} == set(tmp_path.iterdir())


def test_where_nothing_is_in_memory_another_place_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with worker_folder(Path("/absent")) as folder:
        assert tmp_path == folder.parent


def test_a_folder_that_cannot_be_made_is_an_error_that_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match="gone"), worker_folder(Path("/absent")):
        pass
