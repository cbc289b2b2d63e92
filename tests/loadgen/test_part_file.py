from pathlib import Path

from modeldyno.loadgen.part_file import PartFile


def test_everything_appended_is_there_after_closing(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "part")
    for number in range(100):
        part.append(bytes([number]) * 1000)

    assert (100_000, b"", None) == part.close()
    assert b"".join(bytes([number]) * 1000 for number in range(100)) == (tmp_path / "part").read_bytes()


def test_a_part_of_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"old rows")
    part = PartFile(tmp_path / "part")
    part.append(b"new")

    assert (3, b"", None) == part.close()
    assert b"new" == (tmp_path / "part").read_bytes()


def test_a_full_disk_is_reported_at_the_end_with_what_is_not_on_it_and_never_raised() -> None:
    part = PartFile(Path("/dev/full"))
    for _ in range(10):
        part.append(b"x" * 1000)

    assert (0, b"x" * 10_000, "no space left while writing /dev/full") == part.close()


def test_nothing_appended_leaves_no_file(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "part")
    part.append(b"")

    assert (0, b"", None) == part.close()
    assert not (tmp_path / "part").exists()


def test_a_place_that_does_not_exist_is_reported_at_the_end(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "missing" / "part")
    part.append(b"x")

    assert "missing" in (part.close().problem or "")
