"""`dyno serve` under a mixed load for ten minutes: memory, threads and descriptors stay flat, and the account agrees.

MODELDYNO_SOAK_S=60 tries it in a minute.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from tests.soak.mixed_load import MixedLoad

from modeldyno.api.auditing import verify_audit
from modeldyno.clock import SystemClock
from modeldyno.records.server import ServerAccount
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.bundles import write_echo_bundle

SECONDS = float(os.environ.get("MODELDYNO_SOAK_S", "600"))
SAMPLES = 200
WARM_SHARE = 0.3
"""Of the time, in which caches fill and the allocator finds its size."""
MOST_GROWTH_BYTES = 8_000_000
"""Over the rest of it: the default ten minutes are some 500,000 requests, so that 16 bytes kept of each are found."""
SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch", 2)),),
)


class Serving(NamedTuple):
    """`dyno serve` in a process of its own."""

    process: "subprocess.Popen[bytes]"
    url: str
    grpc_address: str
    admin_url: str


@contextmanager
def serving(directory: Path) -> Iterator[Serving]:
    bundle = write_echo_bundle(directory / "echo.bundle")
    with socket.create_server(("127.0.0.1", 0)) as free:
        admin_port = free.getsockname()[1]
    options = ["--grpc-port", "0", "--admin-port", str(admin_port), "--audit", str(directory / "audit.jsonl")]
    command = [
        sys.executable,
        "-m",
        "modeldyno",
        "serve",
        str(bundle),
        "--port",
        "0",
        *options,
        "--cache",
        "1MB",
        "--json",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield Serving(process, said["url"], said["grpc_url"].partition("://")[2], f"http://127.0.0.1:{admin_port}")
    finally:
        process.kill()
        process.communicate()


def growth(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """By how much they grew over the whole of the time: the median of all slopes (Theil and Sen), times it."""
    first, second = np.triu_indices(len(times_s), 1)
    slopes = (values[second] - values[first]) / (times_s[second] - times_s[first])
    return float(np.median(slopes) * (times_s[-1] - times_s[0]))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
def test_ten_minutes_of_everything_leave_memory_threads_and_descriptors_flat(tmp_path: Path) -> None:
    clock = SystemClock()
    with serving(tmp_path) as server:
        stats = psutil.Process(server.process.pid)
        samples = []
        began_ns = clock.now_ns()
        with MixedLoad(server.url, server.grpc_address, server.admin_url, SIGNATURE) as load:
            for number in range(1, SAMPLES + 1):
                clock.sleep_until_ns(began_ns + round(number * SECONDS * 1e9 / SAMPLES))
                now_s = (clock.now_ns() - began_ns) / 1e9
                samples.append((now_s, stats.memory_info().rss, stats.num_threads(), stats.num_fds()))
                assert [] == load.problems
        server.process.send_signal(signal.SIGTERM)
        said, _ = server.process.communicate(timeout=60)
    account = msgspec.json.decode(said, type=ServerAccount)
    print(f"\n{dict(load.done)}\n{account}")  # noqa: T201 - shown with -s, and when it fails
    times_s, rss, threads, descriptors = np.array(samples, np.float64)[round(WARM_SHARE * SAMPLES) :].T
    print(f"rss {rss[0] / 1e6:.1f} to {rss[-1] / 1e6:.1f} MB, growth {growth(times_s, rss) / 1e6:.2f} MB")  # noqa: T201
    assert [] == load.problems
    assert growth(times_s, rss) < MOST_GROWTH_BYTES
    assert growth(times_s, threads) < 1
    assert growth(times_s, descriptors) < 1
    assert 0 == account.unaccounted
    assert 0 == account.failed + account.lost
    sound = sum(load.done[name] for name in ("json", "binary", "grpc"))
    cancelled = load.done["vanished"] + load.done["grpc cancelled"]
    assert sound <= account.answered <= sound + cancelled
    assert account.accepted <= sound + cancelled
    report = verify_audit([tmp_path / "audit.jsonl"])
    assert (None, 0) == (report.broken, report.lost)


def test_what_is_kept_of_each_request_is_found() -> None:
    """The measure of growth itself: noise is none, and a leak is one whatever the noise."""
    times_s = np.arange(150.0)
    noise = np.random.default_rng(1).normal(0, 1e6, 150)
    assert abs(growth(times_s, 5e8 + noise)) < MOST_GROWTH_BYTES
    assert growth(times_s, 5e8 + noise + times_s * 1e5) > MOST_GROWTH_BYTES
