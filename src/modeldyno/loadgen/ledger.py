"""The rows of one worker, allocated before the run and filled in place."""

import struct

import numpy as np

from modeldyno.loadgen.buckets import COUNT, count_in_buckets
from modeldyno.loadgen.messages import Assignment, Tally
from modeldyno.loadgen.server_timing import ServerTimes
from modeldyno.records.requests import REQUEST_DTYPE, Outcome, empty_requests

# Packing some fields at their offset takes 0.2 µs; assigning to a row of a structured array takes 2 µs.
_STAMPS = struct.Struct("<qqqbh")  # sent_ns .. status
_SIZES = struct.Struct("<ii")  # sent_bytes, received_bytes
_SERVER = struct.Struct("<qqqqq")  # server_preprocess_ns .. server_total_ns
_ROW_BYTES = REQUEST_DTYPE.itemsize
_OFFSETS = {name: REQUEST_DTYPE.fields[name][1] for name in REQUEST_DTYPE.names or ()} if REQUEST_DTYPE.fields else {}
_STAMPS_AT = _OFFSETS["sent_ns"]
_SIZES_AT = _OFFSETS["sent_bytes"]
_SERVER_AT = _OFFSETS["server_preprocess_ns"]
_MOST_BYTES = 2**31 - 1
_NEVER = 2**62
_FIRST_ROWS = 1 << 16
"""Of a closed loop, which does not know how many it will need: they double when they are full."""


class Ledger:
    """One row for each request of a worker; moments come in on the clock and are kept since the start.

    In an open loop there is a row for each planned moment. In a closed loop rows are added as requests are sent, and
    each counts as planned at the moment it was sent.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._worker = assignment.worker
        self._choice = np.frombuffer(assignment.choice, "<i4")
        self._rows_of_choice = np.array(assignment.rows, "<i4")[self._choice]
        self._is_closed = assignment.concurrency > 0
        self.first_measured = assignment.first_measured if not self._is_closed or not assignment.warmup_ns else _NEVER
        """Index of the first request of the measured phase; a closed loop learns it when its warm-up ends."""
        planned = np.frombuffer(assignment.planned, "<i8")
        self.rows = self._blank(0, _FIRST_ROWS if self._is_closed else len(planned))
        if not self._is_closed:
            self.rows["planned_ns"] = planned
            self.rows["measured"] = np.arange(len(planned)) >= self.first_measured
        self.start_ns = 0
        self.sent = 0
        self.unresolved = len(planned)
        """Requests without an outcome yet."""
        self._memory = self.rows.view(np.uint8).data
        self._resolved: list[int] = []
        self._failures = 0
        self._buckets = np.zeros(COUNT, np.int64)

    def add(self, index: int) -> None:
        """A closed loop begins its request `index`, the one after the last."""
        if index >= len(self.rows):
            self.rows = np.concatenate((self.rows, self._blank(index, index)))
            self._memory = self.rows.view(np.uint8).data
        self.unresolved += 1

    def _blank(self, start: int, count: int) -> np.ndarray:
        rows = empty_requests(count)
        rows["worker"] = self._worker
        rows["rows"] = self._rows_of_choice[np.arange(start, start + count) % len(self._choice)]
        return rows

    def resolve(
        self, index: int, outcome: Outcome, *, sent_ns: int, first_byte_ns: int, done_ns: int, status: int
    ) -> None:
        """How request `index` ended; moments are on the clock, -1 for what did not happen."""
        start_ns = self.start_ns
        _STAMPS.pack_into(
            self._memory,
            index * _ROW_BYTES + _STAMPS_AT,
            sent_ns - start_ns if sent_ns >= 0 else -1,
            first_byte_ns - start_ns if first_byte_ns >= 0 else -1,
            done_ns - start_ns if done_ns >= 0 else -1,
            outcome,
            status,
        )
        self.unresolved -= 1
        self._resolved.append(index)

    def written(self) -> bytes:
        """All rows that say something: of a closed loop, those whose request was begun and came to an end."""
        rows = self.rows[self.rows["planned_ns"] >= 0] if self._is_closed else self.rows
        return rows.tobytes()

    def add_sizes(self, index: int, sent_bytes: int, received_bytes: int) -> None:
        """How much went over the wire for request `index`."""
        _SIZES.pack_into(
            self._memory, index * _ROW_BYTES + _SIZES_AT, min(sent_bytes, _MOST_BYTES), min(received_bytes, _MOST_BYTES)
        )

    def add_server_times(self, index: int, times: ServerTimes) -> None:
        """What the server reports of request `index`."""
        _SERVER.pack_into(self._memory, index * _ROW_BYTES + _SERVER_AT, *times)

    def leave_unsent(self, indices: list[int]) -> None:
        """These are not going to be sent any more: their rows stay as they are."""
        self.unresolved -= len(indices)
        self._resolved.extend(indices)

    def take_resolved(self) -> np.ndarray:
        """A copy of the rows resolved since the last call, also counted for `tally`."""
        index = np.array(self._resolved, np.int64)
        rows = self.rows[index]
        self._resolved = []
        if self._is_closed:
            rows["planned_ns"] = np.where(rows["sent_ns"] >= 0, rows["sent_ns"], rows["done_ns"])
            rows["measured"] = index >= self.first_measured
            self.rows[index] = rows
        answered = rows[rows["outcome"] == Outcome.OK]
        self._buckets += count_in_buckets(answered["done_ns"] - answered["planned_ns"])
        self._failures += len(rows) - len(answered)
        return rows

    def tally(self, now_ns: int) -> Tally:
        """The counts up to the last `take_resolved`, which was at `now_ns`."""
        used = int(np.flatnonzero(self._buckets)[-1]) + 1 if self._buckets.any() else 0
        return Tally(now_ns - self.start_ns, self.sent, self._failures, self._buckets[:used].tolist())
