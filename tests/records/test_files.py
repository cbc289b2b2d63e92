import errno
import os
from pathlib import Path

import pytest

from modeldyno.errors import InputError, OutputError
from modeldyno.records.base import Estimate
from modeldyno.records.files import digest_bytes, digest_file, read_record, to_json, write_atomically, write_record


def test_a_record_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    write_record(tmp_path / "a" / "estimate.json", Estimate(value=1.5, low=1.0, high=2.0))
    assert Estimate(value=1.5, low=1.0, high=2.0) == read_record(tmp_path / "a" / "estimate.json", Estimate)


def test_a_record_ends_in_a_newline_and_is_indented() -> None:
    assert b'{\n  "value": 1.5,\n  "low": null,\n  "high": null\n}\n' == to_json(Estimate(value=1.5))


def test_a_damaged_record_names_the_file_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "estimate.json"
    path.write_text('{"value": "much"}')
    with pytest.raises(InputError, match=r"estimate\.json is not a valid estimate record") as caught:
        read_record(path, Estimate)
    assert "$.value" in caught.value.why


def test_a_missing_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_record(tmp_path / "none.json", Estimate)


def test_a_full_disk_leaves_the_old_content_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.json"
    write_atomically(path, b"old")

    def fail(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="no space left"):
        write_atomically(path, b"new")
    assert b"old" == path.read_bytes()
    assert ["kept.json"] == [entry.name for entry in tmp_path.iterdir()]


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write") as caught:
        write_atomically(tmp_path / "file" / "below.json", b"x")
    assert f"{tmp_path / 'file'} is no directory" == caught.value.why
    assert caught.value.hint


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")
    assert digest_bytes(b"content") == digest_file(tmp_path / "x")
