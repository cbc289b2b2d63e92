"""Whose port it is: the processes of this machine that listen where a load is going to be sent."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_LISTEN = "0A"  # TCP_LISTEN in include/net/tcp_states.h


def is_local(host: str) -> bool:
    """Whether a host name or an IP address leads to this machine; a name that cannot be resolved does not."""
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    own = {one.address.split("%")[0] for each in psutil.net_if_addrs().values() for one in each}
    return all(one in own or one.startswith("127.") for one in addresses)


def listening_processes(port: int, proc: Path = _PROC) -> list[int]:
    """Ids of the processes that hold a listening TCP socket on `port`, ascending; those of other users stay hidden.

    Reads /proc/net/tcp and tcp6 (proc_net_tcp.rst of the kernel) for the sockets, and every process's open files
    for their holders: some milliseconds on a machine with hundreds of processes.
    """
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port, proc)}
    if not wanted:
        return []
    return sorted(int(each.name) for each in proc.iterdir() if each.name.isdigit() and _holds(each / "fd", wanted))


def _listening_inodes(port: int, proc: Path) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue  # a kernel without IPv6 has no tcp6
        for line in lines:
            words = line.split()
            if words[3] == _LISTEN and int(words[1].rsplit(":", 1)[1], 16) == port:
                yield words[9]


def _holds(files: Path, wanted: set[str]) -> bool:
    try:
        with os.scandir(files) as entries:
            return any(_link(entry.path) in wanted for entry in entries)
    except OSError:
        return False  # another user's, or it ended


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - a Path for every open file of the machine costs more than reading it
    except OSError:
        return ""  # closed in between


def name_of(pid: int) -> str:
    """The process's name; empty when it is gone."""
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return ""


def throttle_files(pid: int, proc: Path = _PROC, cgroups: Path = _CGROUPS) -> list[Path]:
    """The `cpu.stat` of every cgroup around a process that has a CPU quota (version 1 and 2); none without a quota.

    A quota throttles in the group that has it, and only there is it counted (cgroup-v2.rst, "CPU Interface Files").
    """
    around = [
        each
        for group, root in _groups(pid, proc, cgroups)
        for each in (group, *(parent for parent in group.parents if parent.is_relative_to(root)))
    ]
    return [each / "cpu.stat" for each in around if _has_quota(each) and (each / "cpu.stat").is_file()]


def _groups(pid: int, proc: Path, cgroups: Path) -> Iterator[tuple[Path, Path]]:
    for line in _text(proc / str(pid) / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield cgroups / path.strip("/"), cgroups
        elif "cpu" in controllers.split(","):
            root = cgroups / controllers if (cgroups / controllers).is_dir() else cgroups / "cpu"
            yield root / path.strip("/"), root


def _has_quota(group: Path) -> bool:
    new, old = _text(group / "cpu.max").split(), _text(group / "cpu.cfs_quota_us").strip()
    return (bool(new) and new[0] != "max") or (old not in ("", "-1"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def energy_files(powercap: Path = Path("/sys/class/powercap")) -> list[tuple[Path, int]]:
    """RAPL counters of the processor packages in µJ, each with the range at which it wraps; those we may read.

    Only the packages (`intel-rapl:0`): their parts (`intel-rapl:0:0`) are in them (powercap.rst of the kernel).
    AMD's processors show theirs under the same name.
    """
    found = []
    for zone in sorted(powercap.glob("intel-rapl:*")):
        wraps, counter = _text(zone / "max_energy_range_uj").strip(), zone / "energy_uj"
        is_package = zone.name.count(":") == 1 and _text(zone / "name").startswith("package")
        if is_package and wraps.isdigit() and _text(counter).strip().isdigit():
            found.append((counter, int(wraps)))
    return found
