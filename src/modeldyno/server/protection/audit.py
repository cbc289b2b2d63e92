"""Who asked for what, written down by a thread of its own; never what was in it."""

import logging
import threading
from collections import deque
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

import msgspec

from modeldyno.clock import Clock
from modeldyno.records.security import ALL_MODELS, AuditOutcome
from modeldyno.server.protection.audit_file import AuditFile, describe
from modeldyno.server.protection.audit_names import audit_path
from modeldyno.server.rights import Right

_LOG = logging.getLogger("modeldyno.server")
OnFailure = Literal["refuse", "continue"]
ROTATE_BYTES = 100 * 10**6
CANCELLED = 499
"""The status of a request whose client went away; nginx's number, for HTTP has none."""
# Final, or compiled code looks each of them up by its name every time.
MOST_WAITING: Final = 20_000
MOST_WAITING_BYTES: Final = 256 * 10**6
_GATHER_S: Final = 0.05
"""A thread that wakes for each request costs the loop more than all its lines."""
_LINES_AT_ONCE: Final = 128
"""Some 100 µs of work: the interpreter's lock is let go with each write, and requests wait for as long."""
_RETRY_S: Final = 1.0
_JOIN_S: Final = 10.0
_LONGEST_NAME: Final = 256
"""Characters of a model's name in a line: clients choose the names they ask for."""


class AuditLog:
    """Takes entries on the loop's thread, and writes them within a tenth of a second on another.

    Args:
        path: the log; see `audit_path` for what is written in fact.
        on_failure: what to do while it cannot be written: `refuse` requests, or `continue` without.
        clock: for the moments in the lines.
        rotate_bytes: size of a file that ends it.
        worker: number of this process among those of its server.
        most_waiting: requests that may wait for the disk.
        most_waiting_bytes: of their bodies; the digests of others are made at once.

    Raises:
        OutputError, UsageError, InputError: see `AuditFile`.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_failure: OnFailure,
        clock: Clock,
        rotate_bytes: int = ROTATE_BYTES,
        worker: int = 0,
        most_waiting: int = MOST_WAITING,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
    ) -> None:
        self._path = path = audit_path(path, worker)
        self._clock = clock
        self._on_failure = on_failure
        self._file = AuditFile(path, rotate_bytes=rotate_bytes)
        self._most_waiting = most_waiting
        self._most_waiting_bytes = most_waiting_bytes
        self._waiting: deque[tuple[str, bytes | bytearray]] = deque()
        """What is said of each request, and its body, of which the thread makes the digest. On the loop that would take
        longer: with all that a request needs besides, it does not fit into the caches next to the processor."""
        self._taken_bytes = self._gathered_bytes = 0
        """Of bodies, on the loop and by the thread."""
        self._lost = self._admitted_lost = 0
        self._is_failing = False
        self._right: Right | None = None
        self._key, self._status, self._rows, self._said = "", 0, 0, ""
        """What was last asked, answered and said: the next request mostly is alike."""
        self._wakes = threading.Event()
        self._ends = threading.Event()
        self._writer = threading.Thread(target=self._work, name="audit", daemon=True)
        torn = ',"torn":true' if self._file.has_torn_line else ""
        self._drafts = [f'"event":"opened"{torn},"worker":{worker}' if worker else f'"event":"opened"{torn}']
        self.flush()

    def refuses(self) -> bool:
        """Whether a request is to be refused now, because there might be no line of it; it is then counted as lost."""
        has_room = len(self._waiting) < self._most_waiting
        if (has_room and not self._is_failing) or self._on_failure == "continue":
            return False
        self._lost += 1
        return True

    def start(self) -> None:
        """Begin to write what `note` takes."""
        self._writer.start()

    def note(self, key: str, right: Right, payload: bytes | bytearray, status: int, rows: int) -> None:
        """Take down a request that ended; never waits for a disk.

        Beyond what may wait, it is counted as lost, and that will be in the log.

        Args:
            key: id of the API key; empty without a valid one.
            right: what was asked.
            payload: the body, whose digest is written and nothing else of it.
            status: of the answer.
            rows: of the request.
        """
        waiting, size = self._waiting, len(payload)
        if len(waiting) >= self._most_waiting:
            self._lost += 1
            return
        if right is not self._right or key != self._key or status != self._status or rows != self._rows:
            self._right, self._key, self._status, self._rows = right, key, status, rows
            self._said = _said(key, right, status, rows)
        if self._taken_bytes - self._gathered_bytes + size > self._most_waiting_bytes:
            waiting.append((f"{self._said}sha256:{sha256(payload).hexdigest()}", b""))
        else:
            self._taken_bytes += size
            waiting.append((self._said, payload))
        # Behind another the thread finds it without being woken: it goes on until nothing waits.
        if len(waiting) == 1:
            self._wakes.set()

    def stop(self) -> None:
        """Write what waits and that the log ends here, as far as the disk takes it."""
        self._ends.set()
        self._wakes.set()
        if self._writer.is_alive():
            self._writer.join(_JOIN_S)
        self.flush()
        if not self._drafts and not self._waiting:
            self._drafts.append('"event":"closed"')
            self.flush()
        left = len(self._drafts) + len(self._waiting)
        if left:
            _LOG.error("%d lines of the audit log %s could not be written", left, self._path)
        self._file.close()

    def flush(self) -> None:
        """Write what waits; a failure is told once, and tried again by the thread."""
        try:
            if not self._write() and not self._is_failing:
                return
            self._file.sync()
            if self._file.is_full():
                self._file.write(['"event":"rotated"'], at=self._clock.wall_time())
                self._file.rotate()
        except OSError as problem:
            if not self._is_failing:
                then = "requests are refused until it can be" if self._on_failure == "refuse" else "going on without"
                _LOG.error("cannot write the audit log %s (%s); %s", self._path, describe(problem), then)
            self._is_failing = True
        else:
            if self._is_failing:
                _LOG.warning("the audit log %s can be written again", self._path)
            self._is_failing = False

    def _write(self) -> bool:
        """Write all that waits, a few lines at a time; whether there was any."""
        at, has_written = self._clock.wall_time(), False
        while True:
            self._gather()
            if not self._drafts:
                return has_written
            self._file.write(self._drafts, at=at)
            self._drafts = []
            has_written = True

    def _gather(self) -> None:
        while self._waiting and len(self._drafts) < _LINES_AT_ONCE:
            said, payload = self._waiting.popleft()
            self._gathered_bytes += len(payload)
            self._drafts.append(f'{said}sha256:{sha256(payload).hexdigest()}"' if payload else f'{said}"')
        lost = self._lost - self._admitted_lost
        if lost and not self._waiting and not self._is_failing:
            self._admitted_lost += lost
            self._drafts.append(f'"event":"gap","lost":{lost}')

    def _work(self) -> None:
        while not self._ends.is_set():
            if self._is_failing:
                self._ends.wait(_RETRY_S)
            else:
                self._wakes.wait()
                self._ends.wait(_GATHER_S)
            self._wakes.clear()
            self.flush()


def outcome_of(status: int) -> AuditOutcome:
    """What an HTTP status says became of a request."""
    if status < 400:
        return "answered"
    if status == CANCELLED:
        return "cancelled"
    if status == 504:
        return "expired"
    return "refused" if status < 500 or status == 503 else "failed"


@lru_cache(maxsize=4096)
def _said(key: str, right: Right, status: int, rows: int) -> str:
    """All fields of a line but the digest, up to its quotation mark.

    They are joined by hand, because encoding a record for each request takes three times as long as all else here.
    """
    model = "" if right.model is None or right.model == ALL_MODELS else right.model[:_LONGEST_NAME]
    asked = msgspec.json.encode({"key": key, "verb": right.verb, "model": model}).decode().strip("{}")
    return f'"event":"request",{asked},"outcome":"{outcome_of(status)}","status":{status},"rows":{rows},"digest":"'
