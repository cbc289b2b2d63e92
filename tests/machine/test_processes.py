import os
import socket
from pathlib import Path

import pytest

from modeldyno.machine.processes import energy_files, is_local, listening_processes, name_of, throttle_files


def test_the_process_that_listens_is_found_and_one_that_only_connects_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert [os.getpid()] == listening_processes(port)
            assert [] == listening_processes(client.getsockname()[1])
    assert [] == listening_processes(port)


@pytest.mark.parametrize("host", ("127.0.0.1", "127.0.0.53", "localhost"))
def test_loopback_is_this_machine(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ("192.0.2.1", "no-such-host.invalid"))  # RFC 5737 and RFC 2606: never anybody's
def test_another_machine_is_not_this_one(host: str) -> None:
    assert not is_local(host)


def test_a_process_that_is_gone_has_no_name() -> None:
    assert name_of(os.getpid())
    assert "" == name_of(2**22 + 1)  # above the kernel's PID_MAX_LIMIT


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_throttling_is_read_where_the_quota_is(tmp_path: Path) -> None:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "7" / "cgroup", "0::/pod/server\n")
    write(cgroups / "pod" / "server" / "cpu.max", "max 100000\n")
    write(cgroups / "pod" / "server" / "cpu.stat", "nr_throttled 0\n")
    write(cgroups / "pod" / "cpu.max", "50000 100000\n")
    stat = write(cgroups / "pod" / "cpu.stat", "nr_throttled 4\n")
    assert [stat] == throttle_files(7, proc, cgroups)


def test_the_old_cgroups_are_understood(tmp_path: Path) -> None:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "7" / "cgroup", "4:memory:/m\n2:cpu,cpuacct:/server\n")
    write(cgroups / "cpu,cpuacct" / "server" / "cpu.cfs_quota_us", "150000\n")
    stat = write(cgroups / "cpu,cpuacct" / "server" / "cpu.stat", "nr_throttled 4\n")
    write(cgroups / "cpu,cpuacct" / "cpu.cfs_quota_us", "-1\n")
    assert [stat] == throttle_files(7, proc, cgroups)


def test_a_process_without_a_quota_is_not_throttled(tmp_path: Path) -> None:
    assert [] == throttle_files(7, tmp_path, tmp_path)


def test_the_energy_of_packages_is_read_and_that_of_their_parts_is_not(tmp_path: Path) -> None:
    for zone, name in (("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:1", "psys")):
        write(tmp_path / zone / "name", f"{name}\n")
        write(tmp_path / zone / "energy_uj", "12\n")
        write(tmp_path / zone / "max_energy_range_uj", "1000\n")
    assert [(tmp_path / "intel-rapl:0" / "energy_uj", 1000)] == energy_files(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    assert [] == energy_files(tmp_path)
