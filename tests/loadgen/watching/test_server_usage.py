import os
import subprocess
import sys

import numpy as np

from modeldyno.loadgen.watching.server_usage import cpu_ns_between, cpu_ns_by_process, find_family, peak_memory_bytes


def test_cpu_time_grows_with_work() -> None:
    before = cpu_ns_by_process([os.getpid()])
    while (used := cpu_ns_between(before, cpu_ns_by_process([os.getpid()]))) == 0:
        np.ones(1_000).sum()

    assert used is not None
    assert used > 0


def test_children_are_part_of_the_server() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        used = cpu_ns_by_process(find_family([os.getpid()]))
        child.communicate(b"\n")

    assert {os.getpid(), child.pid} <= used.keys()
    assert child.pid not in find_family([os.getpid()])
    assert {} == cpu_ns_by_process([child.pid])


def test_a_child_that_came_in_between_counts_from_its_start() -> None:
    assert 5 + 30 == cpu_ns_between({1: 10}, {1: 15, 2: 30})


def test_the_time_of_a_process_that_is_gone_is_unknown() -> None:
    assert cpu_ns_between({1: 10, 2: 10}, {1: 15}) is None
    assert cpu_ns_between({}, {1: 15}) is None


def test_memory_is_at_least_what_the_process_holds() -> None:
    ballast = np.ones(10_000_000, np.uint8)

    assert (peak_memory_bytes([os.getpid()]) or 0) > ballast.nbytes


def test_a_process_that_does_not_exist_has_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()

    assert peak_memory_bytes([gone.pid]) is None
