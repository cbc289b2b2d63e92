import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.machine.cores import cores_quota, memory_limit_bytes, share_of, usable_cores


@pytest.fixture
def cgroups(tmp_path: Path) -> Path:
    (tmp_path / "fs" / "pod" / "container").mkdir(parents=True)
    return tmp_path


def own(cgroups: Path, text: str) -> Path:
    path = cgroups / "self"
    path.write_text(text)
    return path


def test_the_tightest_group_above_decides(cgroups: Path) -> None:
    (cgroups / "fs" / "pod" / "cpu.max").write_text("150000 100000\n")
    (cgroups / "fs" / "pod" / "container" / "cpu.max").write_text("400000 100000\n")
    assert 1.5 == cores_quota(cgroups / "fs", own(cgroups, "0::/pod/container\n"))


def test_a_group_without_a_limit_has_no_quota(cgroups: Path) -> None:
    (cgroups / "fs" / "pod" / "container" / "cpu.max").write_text("max 100000\n")
    assert cores_quota(cgroups / "fs", own(cgroups, "0::/pod/container\n")) is None


def test_version_1_groups_are_read_too(cgroups: Path) -> None:
    group = cgroups / "fs" / "cpu,cpuacct" / "docker"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("50000")
    (group / "cpu.cfs_period_us").write_text("100000")
    assert 0.5 == cores_quota(cgroups / "fs", own(cgroups, "4:cpu,cpuacct:/docker\n3:memory:/docker\n"))


def test_no_cgroup_file_means_no_limit(tmp_path: Path) -> None:
    assert cores_quota(tmp_path, tmp_path / "absent") is None
    assert memory_limit_bytes(tmp_path, tmp_path / "absent") is None


def test_a_memory_limit_that_means_none_is_none(cgroups: Path) -> None:
    group = cgroups / "fs" / "memory" / "docker"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text("9223372036854771712")
    assert memory_limit_bytes(cgroups / "fs", own(cgroups, "3:memory:/docker\n")) is None


def test_the_tightest_memory_limit_decides(cgroups: Path) -> None:
    (cgroups / "fs" / "pod" / "memory.max").write_text("1000000\n")
    (cgroups / "fs" / "pod" / "container" / "memory.max").write_text("max\n")
    assert 1_000_000 == memory_limit_bytes(cgroups / "fs", own(cgroups, "0::/pod/container\n"))


@given(st.integers(1, 512), st.one_of(st.none(), st.floats(0.01, 512)))
def test_threads_never_exceed_affinity_and_are_at_least_one(affinity: int, quota: float | None) -> None:
    cores = usable_cores(affinity, quota)
    assert 1 <= cores <= affinity
    assert quota is None or cores <= math.ceil(quota)


@given(cores=st.sets(st.integers(0, 300), min_size=1), workers=st.integers(1, 40))
def test_processes_share_the_processors_evenly_and_completely(cores: set[int], workers: int) -> None:
    shares = [share_of(sorted(cores), number, workers) for number in range(workers)]
    used = [core for share in shares for core in share]
    assert all(shares)
    if workers <= len(cores):
        assert sorted(cores) == sorted(used)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    else:
        assert cores == set(used)
        assert {1} == {len(share) for share in shares}


def test_neighbours_stay_together() -> None:
    assert [[0, 1], [2, 3]] == [share_of([3, 1, 0, 2], number, 2) for number in range(2)]
