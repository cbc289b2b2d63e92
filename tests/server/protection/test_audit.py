"""The audit log: chained, rotated, honest about what it could not write, and never in the way of a request."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.api.auditing import verify_audit
from modeldyno.errors import InputError, OutputError, UsageError
from modeldyno.server.protection import audit_snapshot
from modeldyno.server.protection.audit import MOST_WAITING, MOST_WAITING_BYTES, AuditLog, OnFailure, outcome_of
from modeldyno.server.protection.audit_chain import check_chain
from modeldyno.server.protection.audit_names import audit_path, by_writer, files_of
from modeldyno.server.protection.audit_snapshot import snapshot_of
from modeldyno.server.rights import Right
from modeldyno.testing.clock import ManualClock

Request: TypeAlias = tuple[str, Right, bytes, int, int]
ROW: Request = ("kd4x2qpa", Right("infer", "digits"), b"my private row", 200, 3)


@contextlib.contextmanager
def logging_to(
    path: Path,
    *,
    on_failure: OnFailure = "refuse",
    rotate_bytes: int = 10**6,
    worker: int = 0,
    most_waiting: int = MOST_WAITING,
    most_waiting_bytes: int = MOST_WAITING_BYTES,
) -> Iterator[AuditLog]:
    """A log without its thread: `flush` is called by hand."""
    log = AuditLog(
        path,
        on_failure=on_failure,
        clock=ManualClock(),
        rotate_bytes=rotate_bytes,
        worker=worker,
        most_waiting=most_waiting,
        most_waiting_bytes=most_waiting_bytes,
    )
    try:
        yield log
    finally:
        log.stop()


def written(
    path: Path, *requests: Request, rotate_bytes: int = 10**6, at_once: bool = False, worker: int = 0
) -> list[Path]:
    with logging_to(path, rotate_bytes=rotate_bytes, worker=worker) as log:
        for request in requests:
            log.note(*request)
            if not at_once:
                log.flush()
        log.flush()
    return sorted(path.parent.glob(f"{path.name}*"))


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_line_says_who_asked_for_what_and_never_what_was_in_it(tmp_path: Path) -> None:
    written(tmp_path / "audit.jsonl", ROW)
    opened, request, closed = lines_of(tmp_path / "audit.jsonl")
    assert ["opened", "request", "closed"] == [opened["event"], request["event"], closed["event"]]
    assert ("kd4x2qpa", "infer", "digits", 3) == tuple(request[name] for name in ("key", "verb", "model", "rows"))
    assert ("answered", 200, 2) == (request["outcome"], request["status"], request["n"])
    assert f"sha256:{hashlib.sha256(b'my private row').hexdigest()}" == request["digest"]
    assert b"private" not in (tmp_path / "audit.jsonl").read_bytes()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    written(tmp_path / "audit.jsonl", ROW)
    assert 0o600 == (tmp_path / "audit.jsonl").stat().st_mode & 0o777


def test_what_was_written_is_verified_over_restarts(tmp_path: Path) -> None:
    for _ in range(3):
        files = written(tmp_path / "audit.jsonl", ROW, ROW)
    report = verify_audit(files)
    assert (None, 12, 6, 1, 12, True) == (
        report.broken, report.lines, report.requests, report.first, report.last, report.is_closed,
    )  # fmt: skip


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """How much of each file, by its number on the disk, was made to survive a power cut."""
    sizes: dict[int, int] = {}

    def sync(handle: int) -> None:
        seen = os.fstat(handle)
        sizes[seen.st_ino] = seen.st_size

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(os, "fsync", sync)
    return sizes


def test_what_is_written_survives_a_power_cut(tmp_path: Path, synced: dict[int, int]) -> None:
    path = tmp_path / "audit.jsonl"
    with logging_to(path) as log:
        for _ in range(2):
            log.note(*ROW)
            log.flush()
            seen = path.stat()
            assert seen.st_size == synced[seen.st_ino]
    assert path.stat().st_size == synced[path.stat().st_ino]


def test_the_last_line_of_a_file_that_is_full_survives_a_power_cut_too(tmp_path: Path, synced: dict[int, int]) -> None:
    with logging_to(tmp_path / "audit.jsonl", rotate_bytes=500) as log:
        for _ in range(3):
            log.note(*ROW)
            log.flush()
    files = [file.stat() for file in sorted(tmp_path.iterdir())]
    assert len(files) > 1
    assert [file.st_size for file in files] == [synced[file.st_ino] for file in files]


@pytest.mark.parametrize("size", (0, 1, 2047, 2048, 100_000))
def test_the_digest_is_that_of_the_body_whatever_its_size(tmp_path: Path, size: int) -> None:
    written(tmp_path / "audit.jsonl", ("", Right("infer", "digits"), b"x" * size, 200, 1))
    digest = f"sha256:{hashlib.sha256(b'x' * size).hexdigest()}" if size else ""
    assert digest == lines_of(tmp_path / "audit.jsonl")[1]["digest"]


def test_of_the_lines_that_are_written_at_once_the_last_has_the_hash_of_all(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, *[ROW] * 5, at_once=True)
    assert [True, False, False, False, False, True, True] == ["before" in line for line in lines_of(path)]
    lines = path.read_bytes().splitlines()
    assert hashlib.sha256(b"\n".join(lines[:5])).hexdigest() == lines_of(path)[5]["before"]


def test_each_file_begins_with_a_hash_so_that_none_can_be_shortened_from_the_front(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with logging_to(path, rotate_bytes=1000) as log:
        for _ in range(3):
            for _ in range(5):
                log.note(*ROW)
            log.flush()
    files = sorted(tmp_path.iterdir())
    assert 4 == len(files)
    assert [True] * 4 == ["before" in lines_of(file)[0] for file in files]
    path = files[2]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    broken = verify_audit([path, path]).broken
    assert broken is not None
    assert "lines before it are missing" in broken.why


@given(st.integers(0, 9), st.data())
def test_any_change_among_lines_written_at_once_is_found_with_the_hash_behind_them(
    tmp_path_factory: pytest.TempPathFactory, line: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    written(path, *[ROW] * 10, at_once=True)
    lines = path.read_bytes().splitlines(keepends=True)
    place = data.draw(st.integers(0, len(lines[line]) - 2))
    byte = data.draw(st.binary(min_size=1, max_size=1).filter(lambda one: one not in {b"\n", b"\r"}))
    changed = lines[line][:place] + byte + lines[line][place + 1 :]
    path.write_bytes(b"".join([*lines[:line], changed, *lines[line + 1 :]]))
    try:
        broken = verify_audit([path]).broken
    except InputError:
        assert line == 0  # no audit log at all, as far as its first line says
        return
    assert (changed == lines[line]) == (broken is None)


@given(st.integers(0, 9), st.data())
def test_any_change_within_the_log_is_found_at_its_line(
    tmp_path_factory: pytest.TempPathFactory, line: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    written(path, *[ROW] * 10)
    lines = path.read_bytes().splitlines(keepends=True)
    place = data.draw(st.integers(0, len(lines[line]) - 2))
    byte = data.draw(st.binary(min_size=1, max_size=1).filter(lambda one: one not in {b"\n", b"\r"}))
    changed = lines[line][:place] + byte + lines[line][place + 1 :]
    path.write_bytes(b"".join([*lines[:line], changed, *lines[line + 1 :]]))
    try:
        broken = verify_audit([path]).broken
    except InputError:
        assert line == 0  # no audit log at all, as far as its first line says
        return
    if changed == lines[line]:
        assert broken is None
    else:
        assert broken is not None
        assert broken.line in {line + 1, line + 2}


@pytest.mark.parametrize("change", ("taken out", "swapped", "doubled", "added"))
@pytest.mark.parametrize("at_once", (False, True))
def test_lines_taken_out_swapped_doubled_or_added_are_found(tmp_path: Path, change: str, *, at_once: bool) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, *[ROW] * 10, at_once=at_once)
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "taken out":
        del lines[4]
    elif change == "swapped":
        lines[4], lines[5] = lines[5], lines[4]
    elif change == "doubled":
        lines.insert(5, lines[4])
    else:
        lines.insert(5, json.dumps({**json.loads(lines[4]), "key": "other"}).encode() + b"\n")
    path.write_bytes(b"".join(lines))
    broken = verify_audit([path]).broken
    assert broken is not None
    assert broken.line in {5, 6}


def test_a_cut_off_end_is_found_with_a_head_that_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    head = verify_audit(written(path, *[ROW] * 4)).head
    assert verify_audit([path], heads=[head]).broken is None
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    report = verify_audit([path])
    assert (None, False) == (report.broken, report.is_closed)
    broken = verify_audit([path], heads=[head]).broken
    assert broken is not None
    assert "cut off" in broken.why


@pytest.mark.parametrize("head", ("", "5f0c...", "g" * 64, "0" * 63))
def test_what_cannot_be_a_head_does_not_make_a_log_look_cut_off(tmp_path: Path, head: str) -> None:
    files = written(tmp_path / "audit.jsonl", ROW)
    with pytest.raises(UsageError, match="no head of an audit log") as caught:
        verify_audit(files, heads=[head])
    assert caught.value.hint


def test_the_chain_goes_through_rotated_files_in_any_order(tmp_path: Path) -> None:
    files = written(tmp_path / "audit.jsonl", *[ROW] * 20, rotate_bytes=1500)
    assert len(files) > 3
    report = verify_audit(list(reversed(files)))
    assert (None, 20) == (report.broken, report.requests)
    assert [*files[1:], files[0]] == [Path(file) for file in report.files]
    assert report == verify_audit([files[0]])


def test_a_rotated_file_that_is_missing_is_found_and_a_missing_beginning_is_told(tmp_path: Path) -> None:
    files = written(tmp_path / "audit.jsonl", *[ROW] * 20, rotate_bytes=1500)
    broken = verify_audit([files[0], files[1], *files[3:]]).broken
    assert broken is not None
    assert (str(files[3]), 1) == (broken.file, broken.line)
    report = verify_audit([files[0], *files[2:]])
    assert report.broken is None
    assert report.first > 1


def test_a_server_that_has_just_rotated_is_verified_while_it_waits_for_requests(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with logging_to(path, rotate_bytes=300) as log:
        log.note(*ROW)
        log.flush()
        assert 0 == path.stat().st_size
        report = verify_audit([path])
        assert (None, 1, False) == (report.broken, report.requests, report.is_closed)
        assert str(path) == report.files[-1]
        assert report == verify_audit([path, path.with_name("audit.jsonl.000001")])
        assert None is verify_audit([path], heads=[report.head]).broken


def test_a_server_that_rotates_while_its_log_is_verified_does_not_make_it_look_changed(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with logging_to(path, rotate_bytes=700) as log:

        def write(requests: int) -> None:
            for _ in range(requests):
                log.note(*ROW)
                log.flush()

        write(4)
        rotated = len(list(tmp_path.iterdir()))
        with snapshot_of(path) as files:
            write(10)
            (chain, _), *others = [check_chain(group, read=files.read) for group in by_writer(files.files)]
        assert len(list(tmp_path.iterdir())) > rotated
        assert ([], None) == (others, chain.broken)
        assert chain.requests >= 4


def test_a_log_that_was_rotated_between_two_looks_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    with logging_to(path, rotate_bytes=300) as log:
        looks: list[Path] = []

        def look(place: Path) -> list[Path]:
            found = files_of(place)
            if not looks:
                log.note(*ROW)
                log.flush()
            looks.append(place)
            return found

        monkeypatch.setattr(audit_snapshot, "files_of", look)
        report = verify_audit([path])
    assert (None, 1) == (report.broken, report.requests)
    assert ["audit.jsonl.000001", "audit.jsonl"] == [Path(file).name for file in report.files]


def test_a_rotated_file_that_was_emptied_is_found(tmp_path: Path) -> None:
    files = written(tmp_path / "audit.jsonl", *[ROW] * 20, rotate_bytes=1500)
    files[2].write_bytes(b"")
    assert None is not verify_audit([files[0]]).broken


def test_a_log_without_a_line_is_none(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()
    with pytest.raises(InputError, match="not an audit log") as caught:
        verify_audit([path])
    assert "empty" in caught.value.why


def test_the_chain_goes_on_after_the_current_file_was_moved_away(tmp_path: Path) -> None:
    files = written(tmp_path / "audit.jsonl", *[ROW] * 5, rotate_bytes=700)
    (tmp_path / "audit.jsonl").unlink()
    again = written(tmp_path / "audit.jsonl", ROW)
    assert len(again) == len(files)
    assert lines_of(tmp_path / "audit.jsonl")[0]["n"] != 1


def test_a_line_that_a_kill_cut_short_is_kept_and_admitted(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, ROW, ROW)
    path.write_bytes(path.read_bytes()[:-30])
    broken = verify_audit([path]).broken
    assert broken is not None
    assert "cut short" in broken.why
    written(path, ROW)
    report = verify_audit([path])
    assert (None, 1, 7) == (report.broken, report.torn, report.last)


def test_a_write_that_a_kill_cut_between_two_lines_is_no_log_until_the_next_start_admits_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, *[ROW] * 6, at_once=True)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))
    broken = verify_audit([path]).broken
    assert broken is not None
    assert "the last 3 lines is cut short" in broken.why
    written(path, ROW)
    report = verify_audit([path])
    assert (None, 1, 7, 4) == (report.broken, report.torn, report.last, report.requests)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2].replace(b"digits", b"digitz"), *lines[3:]]))
    assert verify_audit([path]).broken is not None


def test_each_process_of_a_server_writes_a_chain_of_its_own_and_all_are_verified(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for worker in (0, 1, 12):
        written(path, *[ROW] * 10, rotate_bytes=1500, worker=worker)
    assert {"audit.jsonl", "audit.jsonl.w1", "audit.jsonl.w12"} <= {file.name for file in tmp_path.iterdir()}
    (tmp_path / "audit.jsonl.bak").write_text("something else")
    report = verify_audit([path])
    assert (None, 3, 30, True) == (report.broken, len(report.chains), report.requests, report.is_closed)
    heads = [chain.head for chain in report.chains]
    assert verify_audit([path], heads=heads).broken is None
    assert report == verify_audit(list(reversed([Path(file) for file in report.files])))
    for file in tmp_path.glob("audit.jsonl.w12*"):
        file.unlink()
    assert verify_audit([path]).broken is None
    broken = verify_audit([path], heads=heads).broken
    assert broken is not None
    assert "cut off" in broken.why


def test_a_change_in_the_chain_of_any_process_is_found(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for worker in (0, 1):
        written(path, ROW, ROW, worker=worker)
    other = audit_path(path, 1)
    other.write_bytes(other.read_bytes().replace(b'"rows":3', b'"rows":2', 1))
    broken = verify_audit([path]).broken
    assert broken is not None
    assert (str(other), 3) == (broken.file, broken.line)


def test_two_servers_cannot_write_one_log(tmp_path: Path) -> None:
    with logging_to(tmp_path / "audit.jsonl"), pytest.raises(UsageError, match="another server"):
        AuditLog(tmp_path / "audit.jsonl", on_failure="refuse", clock=ManualClock())


def test_what_is_no_audit_log_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary\n")
    with pytest.raises(InputError, match="not an audit log"):
        AuditLog(tmp_path / "notes.txt", on_failure="refuse", clock=ManualClock())
    assert "dear diary\n" == (tmp_path / "notes.txt").read_text()
    with pytest.raises(InputError, match="not an audit log"):
        verify_audit([tmp_path / "notes.txt"])
    with pytest.raises(OutputError, match="cannot write"):
        AuditLog(tmp_path / "notes.txt" / "audit.jsonl", on_failure="refuse", clock=ManualClock())


def test_with_a_full_disk_requests_are_refused_or_not_as_was_set(caplog: pytest.LogCaptureFixture) -> None:
    with logging_to(Path("/dev/full"), on_failure="refuse") as log:
        assert log.refuses()
    with logging_to(Path("/dev/full"), on_failure="continue") as log:
        assert not log.refuses()
    assert "No space left on device" in caplog.text


FULL_THEN_FREE = """
import resource, signal, sys
from pathlib import Path
from modeldyno.server.protection.audit import AuditLog
from modeldyno.server.rights import Right
from modeldyno.testing.clock import ManualClock
log = AuditLog(Path(sys.argv[1]), on_failure="refuse", clock=ManualClock())
request = ("key", Right("infer", "digits"), b"row", 200, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
for _ in range(20):
    log.note(*request)
log.flush()
assert log.refuses() and log.refuses()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.flush()
assert not log.refuses()
log.stop()
"""


def test_what_a_full_disk_kept_out_is_written_when_there_is_space_and_refusals_are_told(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    subprocess.run([sys.executable, "-c", FULL_THEN_FREE, str(path)], check=True)
    report = verify_audit([path])
    assert (None, 20, 2, 0, True) == (report.broken, report.requests, report.lost, report.torn, report.is_closed)


def test_what_waits_is_bounded_and_what_is_lost_is_told(tmp_path: Path) -> None:
    with logging_to(tmp_path / "audit.jsonl", on_failure="continue", most_waiting=100) as log:
        for _ in range(150):
            log.note(*ROW)
    report = verify_audit([tmp_path / "audit.jsonl"])
    assert (100, 50, None) == (report.requests, report.lost, report.broken)


def test_with_refuse_a_log_that_cannot_keep_up_refuses_rather_than_lose(tmp_path: Path) -> None:
    with logging_to(tmp_path / "audit.jsonl", most_waiting=10) as log:
        for _ in range(10):
            assert not log.refuses()
            log.note(*ROW)
        assert log.refuses()
        log.flush()
        assert not log.refuses()


def test_large_bodies_are_not_kept_for_a_slow_disk(tmp_path: Path) -> None:
    large: Request = ("", Right("infer", "digits"), b"x" * 4000, 200, 1)
    with logging_to(tmp_path / "audit.jsonl", most_waiting_bytes=5000) as log:
        for _ in range(3):
            log.note(*large)
        assert [4000, 0, 0] == [len(payload) for _, payload in log._waiting]
        log.flush()
        log.note(*large)
        assert [4000] == [len(payload) for _, payload in log._waiting]
    lines = [line for line in lines_of(tmp_path / "audit.jsonl") if line["event"] == "request"]
    assert [f"sha256:{hashlib.sha256(b'x' * 4000).hexdigest()}"] * 4 == [line["digest"] for line in lines]


def test_the_thread_writes_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, on_failure="refuse", clock=ManualClock())
    log.start()
    log.note(*ROW)
    while b'"request"' not in path.read_bytes():
        os.sched_yield()
    log.stop()
    assert verify_audit([path]).is_closed


@pytest.mark.parametrize(
    ("status", "outcome"),
    (
        (200, "answered"), (400, "refused"), (401, "refused"), (429, "refused"), (499, "cancelled"),
        (500, "failed"), (503, "refused"), (504, "expired"),
    ),
)  # fmt: skip
def test_each_status_is_an_outcome(status: int, outcome: str) -> None:
    assert outcome == outcome_of(status)
