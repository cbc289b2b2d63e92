"""What a worker writes down: a row for each request that ended, handed on a few times a second and not kept."""

import struct
from collections.abc import Sequence

import numpy as np

from modeldyno.loadgen.buckets import COUNT, count_in_buckets
from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.tally_board import Tally
from modeldyno.loadgen.transports.connection import Answer, Connection
from modeldyno.records.requests import REQUEST_DTYPE, TOKEN_DTYPE, Outcome, empty_requests, failure_name

_CODES = {"int64": "q", "int32": "i", "int16": "h", "int8": "b", "bool": "?"}
# Packing a row takes half a microsecond; assigning to one of a structured array takes ten.
_FORMAT = "".join(_CODES[REQUEST_DTYPE[name].name] for name in REQUEST_DTYPE.names or ())
_OWN_COLUMNS = (REQUEST_DTYPE.names or ()).index("server_preprocess_ns")
_OWN = struct.Struct("<" + _FORMAT[:_OWN_COLUMNS])
"""What is known of every request that ended."""
_REPORTED = struct.Struct("<" + _FORMAT[_OWN_COLUMNS:])
"""What a server may report beside its answer, and a stream show."""
_NOTHING_REPORTED = _REPORTED.pack(*(-1 for _ in _FORMAT[_OWN_COLUMNS:]))
_MOST_BYTES = 2**31 - 1
_NEVER = 2**62
_NO_TIMES = (-1, -1, -1, -1, -1)
_NOTHING_IN_ANSWER = Answer(Outcome.OK)[3:8]
"""No server times, no stamps and no count of tokens."""


class Ledger:
    """Rows of the requests of one worker; moments come in on the clock and are kept since the start.

    Memory does not grow with the number of requests: of those to come there is the plan, of those on their way their
    connection, and of those that ended what was not handed on yet.

    In a closed loop requests are numbered as they are begun, and each counts as planned at the moment it was sent.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._worker = assignment.worker
        self._workers = assignment.workers
        self._choice = memoryview(assignment.choice).cast("i")
        self._rows = assignment.rows
        self._kinds = assignment.kinds
        self._is_closed = assignment.concurrency > 0
        self.first_measured = assignment.first_measured if not self._is_closed or not assignment.warmup_ns else _NEVER
        """Index of the first request of the measured phase; a closed loop learns it when its warm-up ends."""
        self._planned = memoryview(assignment.planned).cast("q")
        self.start_ns = 0
        self.sent = 0
        self.unresolved = len(self._planned)
        """Requests without an outcome yet."""
        self.said: dict[str, str] = {}
        """By kind of failure, what the server said of the first of it."""
        self._ended = bytearray()
        self._tokens: list[np.ndarray] = []
        self._failures = np.zeros(len(Outcome), np.int64)
        self._buckets = np.zeros(COUNT, np.int64)

    def which(self, index: int) -> int:
        """Which of the prepared requests its own request `index` is."""
        return self._choice[index % len(self._choice)]

    def add(self) -> None:
        """A closed loop begins one more request."""
        self.unresolved += 1

    def resolve(self, index: int, connection: Connection, answer: Answer, done_ns: int) -> None:
        """How request `index` ended that was sent over `connection`; `done_ns` is -1 if it did not."""
        start_ns = self.start_ns
        sent_ns, first_ns, connect_ns = connection.sent_ns, connection.first_byte_ns, connection.connect_ns
        which = connection.which
        planned_ns = sent_ns - start_ns if self._is_closed else self._planned[index]
        self._ended += _OWN.pack(
            index * self._workers + self._worker,
            planned_ns,
            connect_ns if connect_ns < 0 else max(0, min(connect_ns, sent_ns - start_ns - planned_ns)),
            sent_ns - start_ns,
            first_ns - start_ns if first_ns >= 0 else -1,
            done_ns - start_ns if done_ns >= 0 else -1,
            answer.outcome,
            answer.status,
            index >= self.first_measured,
            self._worker,
            self._kinds[which],
            self._rows[which],
            min(connection.sent_bytes, _MOST_BYTES),
            min(connection.received_bytes, _MOST_BYTES),
        )
        self._ended += _NOTHING_REPORTED if answer[3:8] == _NOTHING_IN_ANSWER else self._reported(answer)
        self.unresolved -= 1
        if answer.words:
            self._hear(answer)
        if answer.token_moments:
            self._add_tokens(index * self._workers + self._worker, answer)

    def _hear(self, answer: Answer) -> None:
        kind = failure_name(answer.outcome, answer.status)
        if answer.outcome is not Outcome.OK and kind not in self.said:
            text = " ".join(answer.words.decode("utf-8", "replace").split())
            self.said[kind] = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)

    def _reported(self, answer: Answer) -> bytes:
        start_ns = self.start_ns
        return _REPORTED.pack(
            *(answer.server_times or _NO_TIMES),
            answer.first_token_ns - start_ns if answer.first_token_ns >= 0 else -1,
            answer.last_token_ns - start_ns if answer.last_token_ns >= 0 else -1,
            answer.input_tokens,
            answer.output_tokens,
        )

    def leave_unsent(self, indices: Sequence[int], outcome: Outcome = Outcome.NOT_SENT, done_ns: int = -1) -> None:
        """How requests ended that were never sent; `done_ns` is when they failed."""
        places = np.asarray(indices, np.int64)
        rows = empty_requests(len(places))
        which = np.asarray(self._choice)[places % len(self._choice)]
        done_ns = done_ns - self.start_ns if done_ns >= 0 else -1
        rows["number"] = places * self._workers + self._worker
        rows["planned_ns"] = done_ns if self._is_closed else np.asarray(self._planned)[places]
        rows["done_ns"] = done_ns
        rows["outcome"], rows["measured"], rows["worker"] = outcome, places >= self.first_measured, self._worker
        rows["kind"], rows["rows"] = np.asarray(self._kinds)[which], np.asarray(self._rows)[which]
        self._ended += rows.tobytes()
        self.unresolved -= len(places)

    def take_ended(self) -> tuple[bytes, bytes]:
        """The rows and the tokens of requests that ended since the last call, also counted for `tally`."""
        content, self._ended = bytes(self._ended), bytearray()
        rows = np.frombuffer(content, REQUEST_DTYPE)
        answered = rows[rows["outcome"] == Outcome.OK]
        self._buckets += count_in_buckets(answered["done_ns"] - answered["planned_ns"])
        self._failures += np.bincount(rows["outcome"], minlength=len(Outcome))
        tokens, self._tokens = self._tokens, []
        return content, b"".join(piece.tobytes() for piece in tokens)

    def tally(self, now_ns: int, *, waiting: int, in_flight: int) -> Tally:
        """The counts up to the last `take_ended`, which was at `now_ns`."""
        failures = self._failures.copy()
        failures[[Outcome.OK, Outcome.NOT_SENT, Outcome.INTERRUPTED]] = 0
        return Tally(now_ns - self.start_ns, self.sent, waiting, in_flight, failures, self._buckets)

    def _add_tokens(self, number: int, answer: Answer) -> None:
        tokens = np.empty(len(answer.token_moments), TOKEN_DTYPE)
        tokens["number"] = number
        tokens["moment_ns"] = np.asarray(answer.token_moments, np.int64) - self.start_ns
        self._tokens.append(tokens)
