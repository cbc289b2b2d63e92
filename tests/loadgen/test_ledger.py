import numpy as np
import pytest

from modeldyno.loadgen import ledger as ledger_file
from modeldyno.loadgen.ledger import Ledger
from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.server_timing import ServerTimes
from modeldyno.records.requests import REQUEST_DTYPE, Outcome, empty_requests


@pytest.fixture
def ledger() -> Ledger:
    planned = np.array([10, 30, 50, 70], "<i8")
    assignment = Assignment(
        worker=1, workers=2, host="", port=1, requests=[b"a", b"b", b"c"],
        choice=np.array([1, 0, 2, 1], "<i4").tobytes(), rows=[1, 2, 3], planned=planned.tobytes(),
        first_measured=1, plan_end_ns=80, timeout_ns=1, connections=1, max_connections=1, part_path="",
    )  # fmt: skip
    made = Ledger(assignment)
    made.start_ns = 1_000
    return made


@pytest.mark.parametrize(
    ("packing", "first", "last"),
    (
        ("_STAMPS", "sent_ns", "status"),
        ("_SIZES", "sent_bytes", "received_bytes"),
        ("_SERVER", "server_preprocess_ns", "server_total_ns"),
    ),
)
def test_packed_fields_are_those_of_the_record(packing: str, first: str, last: str) -> None:
    names = list(REQUEST_DTYPE.names or ())
    packed = names[names.index(first) : names.index(last) + 1]
    codes = {"int64": "q", "int32": "i", "int16": "h", "int8": "b"}

    assert "<" + "".join(codes[REQUEST_DTYPE[name].name] for name in packed) == getattr(ledger_file, packing).format


def test_a_row_is_known_before_anything_happens(ledger: Ledger) -> None:
    expected = empty_requests(4)
    expected["planned_ns"] = [10, 30, 50, 70]
    expected["measured"] = [False, True, True, True]
    expected["worker"] = 1
    expected["rows"] = [2, 1, 3, 2]  # requests 1, 3, 5 and 7 of the plan

    assert expected.tobytes() == ledger.rows.tobytes()
    assert 4 == ledger.unresolved


def test_what_happened_is_kept_since_the_start(ledger: Ledger) -> None:
    ledger.resolve(2, Outcome.HTTP_ERROR, sent_ns=1_060, first_byte_ns=1_070, done_ns=1_080, status=503)
    ledger.add_sizes(2, 7, 2**40)
    ledger.add_server_times(2, ServerTimes(1, 2, 3, 4, 5))

    row = dict(zip(REQUEST_DTYPE.names or (), ledger.rows[2].tolist(), strict=True))
    assert {"sent_ns": 60, "first_byte_ns": 70, "done_ns": 80, "outcome": 1, "status": 503}.items() <= row.items()
    assert {"planned_ns": 50, "rows": 3, "worker": 1, "measured": True}.items() <= row.items()
    assert {"sent_bytes": 7, "received_bytes": 2**31 - 1}.items() <= row.items()
    assert [1, 2, 3, 4, 5] == [row[name] for name in row if name.startswith("server_")]


def test_what_did_not_happen_stays_minus_one(ledger: Ledger) -> None:
    ledger.resolve(0, Outcome.REFUSED, sent_ns=-1, first_byte_ns=-1, done_ns=1_500, status=0)

    assert (-1, -1, 500) == tuple(ledger.rows[0][["sent_ns", "first_byte_ns", "done_ns"]].tolist())


def test_each_resolved_row_is_taken_once(ledger: Ledger) -> None:
    ledger.resolve(3, Outcome.OK, sent_ns=1_071, first_byte_ns=1_072, done_ns=1_073, status=200)
    ledger.resolve(1, Outcome.TIMEOUT, sent_ns=1_031, first_byte_ns=-1, done_ns=1_073, status=0)
    first = ledger.take_resolved()
    ledger.leave_unsent([0, 2])
    second = ledger.take_resolved()

    assert [70, 30] == first["planned_ns"].tolist()
    assert [10, 50] == second["planned_ns"].tolist()
    assert (0, 0) == (ledger.unresolved, len(ledger.take_resolved()))


def test_the_tally_counts_answers_and_failures(ledger: Ledger) -> None:
    ledger.sent = 2
    ledger.resolve(3, Outcome.OK, sent_ns=1_071, first_byte_ns=1_072, done_ns=1_078, status=200)
    ledger.resolve(1, Outcome.TIMEOUT, sent_ns=1_031, first_byte_ns=-1, done_ns=1_073, status=0)
    ledger.take_resolved()
    tally = ledger.tally(1_100)

    assert (100, 2, 1, 1) == (tally.elapsed_ns, tally.sent, tally.failures, sum(tally.buckets))
    assert 3 * 8 + 1 == len(tally.buckets)  # 8 ns is 2^3
