"""The audit log: chained, rotated, honest about what it could not write, and never in the way of a request."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.api.auditing import verify_audit
from modeldyno.errors import InputError, OutputError, UsageError
from modeldyno.server import audit
from modeldyno.server.audit import AuditLog, Entry, OnFailure, outcome_of
from modeldyno.server.rights import Right
from modeldyno.testing.clock import ManualClock

ROW = Entry("kd4x2qpa", Right("infer", "digits"), b"my private row", 200, 3)


@contextlib.contextmanager
def logging_to(path: Path, *, on_failure: OnFailure = "refuse", rotate_bytes: int = 10**6) -> Iterator[AuditLog]:
    """A log without its thread: `flush` is called by hand."""
    log = AuditLog(path, on_failure=on_failure, clock=ManualClock(), rotate_bytes=rotate_bytes)
    try:
        yield log
    finally:
        log.stop()


def written(path: Path, *entries: Entry, rotate_bytes: int = 10**6) -> list[Path]:
    with logging_to(path, rotate_bytes=rotate_bytes) as log:
        for entry in entries:
            log.note(entry)
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
    assert request["digest"] == f"sha256:{__import__('hashlib').sha256(b'my private row').hexdigest()}"
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
def test_lines_taken_out_swapped_doubled_or_added_are_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, *[ROW] * 10)
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
    assert verify_audit([path], head=head).broken is None
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    report = verify_audit([path])
    assert (None, False) == (report.broken, report.is_closed)
    broken = verify_audit([path], head=head).broken
    assert broken is not None
    assert "cut off" in broken.why


def test_the_chain_goes_through_rotated_files_in_any_order(tmp_path: Path) -> None:
    files = written(tmp_path / "audit.jsonl", *[ROW] * 20, rotate_bytes=1500)
    assert len(files) > 3
    report = verify_audit(list(reversed(files)))
    assert (None, 20) == (report.broken, report.requests)
    assert [*files[1:], files[0]] == [Path(file) for file in report.files]


def test_a_rotated_file_that_is_missing_is_found_and_a_missing_beginning_is_told(tmp_path: Path) -> None:
    files = written(tmp_path / "audit.jsonl", *[ROW] * 20, rotate_bytes=1500)
    broken = verify_audit([files[0], files[1], *files[3:]]).broken
    assert broken is not None
    assert (str(files[3]), 1) == (broken.file, broken.line)
    report = verify_audit([files[0], *files[2:]])
    assert report.broken is None
    assert report.first > 1


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
from modeldyno.server.audit import AuditLog, Entry
from modeldyno.server.rights import Right
from modeldyno.testing.clock import ManualClock
log = AuditLog(Path(sys.argv[1]), on_failure="refuse", clock=ManualClock())
entry = Entry("key", Right("infer", "digits"), b"row", 200, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
for _ in range(20):
    log.note(entry)
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


def test_what_waits_is_bounded_and_what_is_lost_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_WAITING", 100)
    with logging_to(tmp_path / "audit.jsonl", on_failure="continue") as log:
        for _ in range(150):
            log.note(ROW)
    report = verify_audit([tmp_path / "audit.jsonl"])
    assert (100, 50, None) == (report.requests, report.lost, report.broken)


def test_with_refuse_a_log_that_cannot_keep_up_refuses_rather_than_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_WAITING", 10)
    with logging_to(tmp_path / "audit.jsonl") as log:
        for _ in range(10):
            assert not log.refuses()
            log.note(ROW)
        assert log.refuses()
        log.flush()
        assert not log.refuses()


def test_large_bodies_are_not_kept_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_WAITING_BYTES", 20)
    with logging_to(tmp_path / "audit.jsonl") as log:
        for _ in range(3):
            log.note(ROW)
        assert [14, 0, 0] == [len(entry.payload) for entry in log._waiting]
    assert {lines_of(tmp_path / "audit.jsonl")[1]["digest"]} == {
        line["digest"] for line in lines_of(tmp_path / "audit.jsonl") if line["event"] == "request"
    }


def test_the_thread_writes_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, on_failure="refuse", clock=ManualClock())
    log.start()
    log.note(ROW)
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
