import numpy as np
import pytest

from modeldyno.loadgen.ledger import _NOTHING_REPORTED, _OWN, _REPORTED, Ledger
from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.server_timing import ServerTimes
from modeldyno.loadgen.transports.connection import Answer, Connection
from modeldyno.records.requests import REQUEST_DTYPE, TOKEN_DTYPE, Outcome


class Owner:
    def answered(self, connection: Connection, answer: Answer) -> None: ...

    def malformed(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


def connection(**stamps: int) -> Connection:
    made = Connection(Owner(), lambda: 0)
    for name, value in stamps.items():
        setattr(made, name, value)
    return made


def assignment(**changes: object) -> Assignment:
    named = {
        "worker": 1, "workers": 2, "host": "", "port": 1, "transport": "null", "reader": "plain",
        "requests": [b"a", b"b", b"c"], "choice": np.array([1, 0, 2, 1], "<i4").tobytes(), "rows": [1, 2, 3],
        "kinds": [0, 1, 0], "planned": np.array([10, 30, 50, 70], "<i8").tobytes(), "first_measured": 1,
        "plan_end_ns": 80, "timeout_ns": 1, "connections": 1, "max_connections": 1, "part_path": "", "tokens_path": "",
    }  # fmt: skip
    return Assignment(**{**named, **changes})  # type: ignore[arg-type]


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger(assignment())
    made.start_ns = 1_000
    return made


def taken(ledger: Ledger) -> list[dict[str, object]]:
    rows = np.frombuffer(ledger.take_ended()[0], REQUEST_DTYPE)
    return [dict(zip(REQUEST_DTYPE.names or (), row.tolist(), strict=True)) for row in rows]


def test_a_packed_row_is_one_of_the_record() -> None:
    assert REQUEST_DTYPE.itemsize == _OWN.size + _REPORTED.size == _OWN.size + len(_NOTHING_REPORTED)


def test_what_happened_is_kept_since_the_start(ledger: Ledger) -> None:
    at = connection(which=2, sent_ns=1_060, first_byte_ns=1_070, sent_bytes=7, received_bytes=2**40)
    answer = Answer(
        Outcome.HTTP_ERROR, 503, server_times=ServerTimes(1, 2, 3, 4, 5), first_token_ns=1_071, last_token_ns=1_079,
        input_tokens=11, output_tokens=12,
    )  # fmt: skip
    ledger.resolve(2, at, answer, 1_080)

    assert [
        {
            "number": 5, "planned_ns": 50, "connect_ns": -1, "sent_ns": 60, "first_byte_ns": 70, "done_ns": 80,
            "outcome": 1, "status": 503, "measured": True, "worker": 1, "kind": 0, "rows": 3, "sent_bytes": 7,
            "received_bytes": 2**31 - 1, "server_preprocess_ns": 1, "server_queue_ns": 2, "server_inference_ns": 3,
            "server_postprocess_ns": 4, "server_total_ns": 5, "first_token_ns": 71, "last_token_ns": 79,
            "input_tokens": 11, "output_tokens": 12,
        }
    ] == taken(ledger)  # fmt: skip


def test_what_the_server_said_of_the_first_failure_of_a_kind_is_kept_on_one_line_that_drives_no_terminal(
    ledger: Ledger,
) -> None:
    for place, words in enumerate((b"no\n  such \x1b[31mmodel \xff", b"something else")):
        ledger.resolve(place, connection(sent_ns=1_060), Answer(Outcome.HTTP_ERROR, 400, words=words), 1_080)
    ledger.resolve(2, connection(sent_ns=1_060), Answer(Outcome.OK, 404, words=b"as expected"), 1_080)

    assert {"http_400": "no such \ufffd[31mmodel \ufffd"} == ledger.said


def test_what_did_not_happen_stays_minus_one(ledger: Ledger) -> None:
    ledger.resolve(0, connection(which=1, sent_ns=1_020), Answer(Outcome.TIMEOUT), -1)

    row = taken(ledger)[0]
    assert {"first_byte_ns": -1, "done_ns": -1, "first_token_ns": -1, "server_total_ns": -1}.items() <= row.items()
    assert {"input_tokens": -1, "measured": False, "rows": 2, "kind": 1}.items() <= row.items()


@pytest.mark.parametrize(("took", "waited"), ((5, 5), (500, 25), (-1, -1)))
def test_opening_a_connection_counts_as_far_as_the_request_waited_for_it(
    ledger: Ledger, took: int, waited: int
) -> None:
    ledger.resolve(2, connection(sent_ns=1_075, connect_ns=took), Answer(Outcome.OK, 200), 1_080)

    assert waited == taken(ledger)[0]["connect_ns"]


def test_what_was_never_sent_is_written_down_too(ledger: Ledger) -> None:
    ledger.leave_unsent([0, 3])
    ledger.leave_unsent([1], Outcome.REFUSED, 1_500)

    rows = taken(ledger)
    assert [(1, 10, -1, 6), (7, 70, -1, 6), (3, 30, 500, 3)] == [
        (row["number"], row["planned_ns"], row["done_ns"], row["outcome"]) for row in rows
    ]
    assert {-1} == {row["sent_ns"] for row in rows}
    assert [False, True, True] == [row["measured"] for row in rows]
    assert 1 == ledger.unresolved


def test_each_row_is_taken_once_and_none_is_kept(ledger: Ledger) -> None:
    ledger.resolve(3, connection(sent_ns=1_071), Answer(Outcome.OK, 200), 1_073)
    first = taken(ledger)
    ledger.resolve(1, connection(sent_ns=1_031), Answer(Outcome.TIMEOUT), 1_073)

    assert [70] == [row["planned_ns"] for row in first]
    assert [30] == [row["planned_ns"] for row in taken(ledger)]
    assert [] == taken(ledger)
    assert 2 == ledger.unresolved


def test_the_pieces_of_a_stream_carry_the_number_of_their_request(ledger: Ledger) -> None:
    ledger.resolve(2, connection(sent_ns=1_060), Answer(Outcome.OK, 200, token_moments=[1_061, 1_065]), 1_066)

    tokens = np.frombuffer(ledger.take_ended()[1], TOKEN_DTYPE)
    assert [(5, 61), (5, 65)] == tokens.tolist()
    assert b"" == ledger.take_ended()[1]


def test_the_tally_counts_answers_and_failures_but_not_what_was_not_due() -> None:
    ledger = Ledger(assignment())
    ledger.resolve(0, connection(sent_ns=11), Answer(Outcome.OK, 200), 12)
    ledger.resolve(1, connection(sent_ns=31), Answer(Outcome.MALFORMED, 200), 32)
    ledger.leave_unsent([2, 3])
    ledger.take_ended()

    tally = ledger.tally(100, waiting=3, in_flight=2)
    assert (1, 3, 2) == (sum(tally.buckets), tally.waiting, tally.in_flight)
    assert [(Outcome.MALFORMED, 1)] == [(kind, count) for kind, count in enumerate(tally.failures) if count]


def test_a_closed_loop_plans_a_request_at_the_moment_it_is_sent() -> None:
    ledger = Ledger(assignment(concurrency=3, planned=b"", warmup_ns=5))
    ledger.start_ns = 100
    ledger.add()
    ledger.resolve(0, connection(sent_ns=104), Answer(Outcome.OK, 200), 109)
    ledger.first_measured = 1
    ledger.add()
    ledger.resolve(1, connection(sent_ns=110), Answer(Outcome.OK, 200), 115)

    assert [(1, 4, False), (3, 10, True)] == [
        (row["number"], row["planned_ns"], row["measured"]) for row in taken(ledger)
    ]
    assert 0 == ledger.unresolved
