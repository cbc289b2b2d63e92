from types import SimpleNamespace

import pytest

from modeldyno.machine import bandwidth
from modeldyno.machine.bandwidth import streams, working_sets

MIB = 2**20


@pytest.fixture
def free_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10_000 * MIB))


@pytest.mark.usefixtures("free_bytes")
def test_each_level_has_arrays_that_fit_it_and_memory_has_some_that_fit_nowhere() -> None:
    found = working_sets({"L2": 2 * MIB, "L3": 300 * MIB}, threads=2)
    assert {"L2": 2 * MIB, "L3": 300 * MIB // 8, "memory": 600 * MIB} == found


@pytest.mark.usefixtures("free_bytes")
def test_an_l3_hardly_larger_than_the_l2s_is_no_level_of_its_own() -> None:
    assert ["L2", "memory"] == list(working_sets({"L2": 2 * MIB, "L3": 8 * MIB}, threads=2))


@pytest.mark.usefixtures("free_bytes")
def test_no_more_than_a_fifth_of_the_free_memory_is_taken() -> None:
    assert {"memory": 2_000 * MIB} == {
        level: size for level, size in working_sets({"L3": 4_000 * MIB}, threads=1).items() if level == "memory"
    }


@pytest.mark.usefixtures("free_bytes")
def test_without_known_caches_only_memory_is_measured() -> None:
    assert {"memory": 256 * MIB} == working_sets({}, threads=1)


@pytest.mark.parametrize("threads", (1, 3))
def test_a_stream_moves_the_bytes_it_says(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidth, "_PASSES_BYTES", 1)
    count = 100
    copy, triad = streams("L2", threads * 3 * 8 * count, threads)
    assert (2 * 8 * count * threads, 5 * 8 * count * threads) == (copy.bytes_a_call, triad.bytes_a_call)
    assert threads * 3 * 8 * count == copy.working_set_bytes == triad.working_set_bytes
    for one in (copy, triad):
        one.call()
        one.close()
