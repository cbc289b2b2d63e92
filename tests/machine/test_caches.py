from pathlib import Path

from modeldyno.machine.caches import cache_bytes


def write_cache(folder: Path, index: int, **facts: str) -> None:
    place = folder / f"index{index}"
    place.mkdir()
    for name, text in facts.items():
        (place / name).write_text(f"{text}\n")


def test_the_sizes_of_l2_and_l3_are_read_and_no_others(tmp_path: Path) -> None:
    write_cache(tmp_path, 0, level="1", type="Data", size="48K")
    write_cache(tmp_path, 1, level="2", type="Unified", size="2048K")
    write_cache(tmp_path, 2, level="3", type="Unified", size="300M")
    assert {"L2": 2 * 2**20, "L3": 300 * 2**20} == cache_bytes(tmp_path)


def test_what_the_kernel_does_not_tell_is_left_out(tmp_path: Path) -> None:
    write_cache(tmp_path, 0, level="2", type="Unified")
    write_cache(tmp_path, 1, level="3", type="Unified", size="much")
    assert {} == cache_bytes(tmp_path)
    assert {} == cache_bytes(tmp_path / "nothing")
