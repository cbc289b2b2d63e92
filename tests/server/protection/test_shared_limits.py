"""Token buckets of several processes: no more passes than was promised, whoever asks and whoever dies."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modeldyno.api.keys import create_key
from modeldyno.errors import InputError, OutputError
from modeldyno.records.server import ProtectionSettings
from modeldyno.server.protection.account import Account
from modeldyno.server.protection.gate import Gate
from modeldyno.server.protection.key_ring import KeyRing
from modeldyno.server.protection.protection import Protection
from modeldyno.server.protection.shared_limits import SharedBuckets
from modeldyno.server.rights import Right
from modeldyno.server.visit import Visit
from modeldyno.testing.clock import ManualClock

SECOND_NS = 10**9
TAKES = """
import sys
from pathlib import Path
from modeldyno.server.protection.shared_limits import SharedBuckets
bucket = SharedBuckets(Path(sys.argv[1])).bucket("kd4x2qpa", burst_rows=6000, now_ns=0)
print("ready", flush=True)
sys.stdin.readline()
print(sum(bucket.take(1, rate_per_s=1.0, burst_rows=6000, now_ns=0) == 0 for _ in range(5000)), flush=True)
"""
DIES_WITH_THE_LOCK = """
import fcntl, sys
from pathlib import Path
from modeldyno.server.protection.shared_limits import SharedBuckets
buckets = SharedBuckets(Path(sys.argv[1]))
fcntl.flock(buckets.handle, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    SharedBuckets.create(tmp_path / "limits")
    return tmp_path / "limits"


@pytest.fixture
def pair(path: Path) -> Iterator[tuple[SharedBuckets, SharedBuckets]]:
    """The same file as two processes open it."""
    one, other = SharedBuckets(path), SharedBuckets(path)
    yield one, other
    one.close()
    other.close()


def begin(script: str, path: Path) -> subprocess.Popen[str]:
    """A process that waits for a line after its own first."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "ready\n" == process.stdout.readline()
    return process


def test_two_processes_together_take_what_one_may_and_no_more(path: Path) -> None:
    processes = [begin(TAKES, path) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert 6000 == sum(int(process.communicate()[0]) for process in processes)


def test_a_process_that_is_killed_lets_go_of_the_lock(path: Path) -> None:
    with begin(DIES_WITH_THE_LOCK, path) as process:
        process.send_signal(signal.SIGKILL)
    buckets = SharedBuckets(path)
    assert 0 == buckets.bucket("a", burst_rows=1, now_ns=0).take(1, rate_per_s=1.0, burst_rows=1, now_ns=0)
    buckets.close()


def test_what_one_took_the_other_waits_for(pair: tuple[SharedBuckets, SharedBuckets]) -> None:
    one, other = (buckets.bucket("a", burst_rows=4, now_ns=0) for buckets in pair)
    assert 0 == one.take(4, rate_per_s=2.0, burst_rows=4, now_ns=0)
    assert SECOND_NS == other.take(2, rate_per_s=2.0, burst_rows=4, now_ns=0)
    assert 0 == other.take(2, rate_per_s=2.0, burst_rows=4, now_ns=SECOND_NS)
    assert SECOND_NS == one.take(2, rate_per_s=2.0, burst_rows=4, now_ns=SECOND_NS)


def test_a_process_whose_clock_was_read_earlier_fills_nothing_twice(pair: tuple[SharedBuckets, SharedBuckets]) -> None:
    one, other = (buckets.bucket("a", burst_rows=4, now_ns=0) for buckets in pair)
    assert 0 == one.take(4, rate_per_s=1.0, burst_rows=4, now_ns=0)
    assert 0 == one.take(3, rate_per_s=1.0, burst_rows=4, now_ns=3 * SECOND_NS)
    assert SECOND_NS == other.take(1, rate_per_s=1.0, burst_rows=4, now_ns=SECOND_NS)
    assert SECOND_NS == one.take(1, rate_per_s=1.0, burst_rows=4, now_ns=3 * SECOND_NS)


def test_each_key_has_a_bucket_of_its_own_however_many_there_are(pair: tuple[SharedBuckets, SharedBuckets]) -> None:
    one, other = pair
    names = [f"key{number}" for number in range(10_000)]
    for name in names:
        assert 0 == one.bucket(name, burst_rows=1, now_ns=0).take(1, rate_per_s=1.0, burst_rows=1, now_ns=0)
    assert {SECOND_NS} == {
        other.bucket(name, burst_rows=1, now_ns=0).take(1, rate_per_s=1.0, burst_rows=1, now_ns=0) for name in names
    }


def test_a_bucket_that_was_handed_out_before_the_file_grew_is_still_the_same(
    pair: tuple[SharedBuckets, SharedBuckets],
) -> None:
    one, other = pair
    before = one.bucket("first", burst_rows=1, now_ns=0)
    for number in range(5000):
        other.bucket(f"key{number}", burst_rows=1, now_ns=0)
    assert 0 == before.take(1, rate_per_s=1.0, burst_rows=1, now_ns=0)
    again = other.bucket("first", burst_rows=1, now_ns=0)
    assert SECOND_NS == again.take(1, rate_per_s=1.0, burst_rows=1, now_ns=0)


def test_a_limit_holds_over_the_servers_that_share_it(path: Path, tmp_path: Path) -> None:
    clock = ManualClock()
    secret = create_key(tmp_path / "keys.db", "ci", rows_per_s=2, burst_rows=4, clock=clock).secret
    rings = [KeyRing(tmp_path / "keys.db", clock=clock, buckets=SharedBuckets(path)) for _ in range(2)]
    gates = [Gate(ring, clock=clock) for ring in rings]
    accounts = [gate.check({b"x-api-key": secret.encode()}, Right("infer", "digits")) for gate in gates]
    refusals = []
    for gate, account in zip(gates, accounts, strict=True):
        assert isinstance(account, Account)
        refusals.append(Visit(account, gate, None, Right("infer", "digits"), b"").reserve(4))
    for ring in rings:
        ring.stop()
    assert refusals[0] is None
    assert refusals[1] is not None
    assert (429, 2) == (refusals[1].status, refusals[1].retry_after_s)


def test_processes_of_one_server_are_told_the_file_and_their_number(path: Path, tmp_path: Path) -> None:
    create_key(tmp_path / "keys.db", "ci", rows_per_s=2)
    files = ProtectionSettings(
        keys=str(tmp_path / "keys.db"), audit=str(tmp_path / "audit"), shared_limits=str(path)
    )  # fmt: skip
    with Protection(files, clock=ManualClock()), Protection(files, clock=ManualClock(), worker=1):
        assert {"audit", "audit.w1"} <= {file.name for file in tmp_path.iterdir()}


def test_only_its_owner_can_read_it_and_it_is_made_once(path: Path) -> None:
    assert 0o600 == path.stat().st_mode & 0o777
    with pytest.raises(OutputError, match="cannot write"):
        SharedBuckets.create(path)


def test_other_files_are_no_limits(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot open"):
        SharedBuckets(tmp_path / "absent")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(InputError, match="holds no limits"):
        SharedBuckets(tmp_path / "text")
