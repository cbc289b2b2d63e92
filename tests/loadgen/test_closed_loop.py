from typing import Any

import numpy as np

from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.records.requests import Outcome
from modeldyno.records.workload import RowShare
from modeldyno.testing.known_servers import Behaviour, known_server

MS = 1_000_000
CLOSED = {"arrivals": "closed", "rate_per_s": 0.0, "warmup_requests": 0}


def in_flight(rows: np.ndarray) -> int:
    """The most requests that were on their way at one moment."""
    moments = np.concatenate((rows["sent_ns"], rows["done_ns"]))
    steps = np.concatenate((np.ones(len(rows)), -np.ones(len(rows))))
    # At equal moments an end comes before a beginning.
    return int(np.cumsum(steps[np.lexsort((steps, moments))]).max())


def test_each_user_has_one_request_on_its_way_and_sends_when_it_is_answered(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=5 * MS)) as server:
        rows = offer(server.url, **CLOSED, concurrency=3, requests=60).requests

    assert 60 == len(rows) == int((rows["outcome"] == Outcome.OK).sum())
    assert 3 == in_flight(rows)
    assert rows["planned_ns"].tolist() == rows["sent_ns"].tolist()
    assert np.all(np.diff(rows["planned_ns"]) >= 0)
    assert np.all(rows["measured"])


def test_what_is_asked_for_is_made_after_the_warm_up(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=5 * MS)) as server:
        rows = offer(server.url, **CLOSED, concurrency=2, requests=20, warmup_ns=100 * MS).requests

    assert 20 == int(rows["measured"].sum())
    assert len(rows) > 20
    assert np.all(np.diff(rows["measured"].astype(int)) >= 0)


def test_it_ends_after_its_time_and_waits_for_the_last_answers(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=5 * MS)) as server:
        rows = offer(server.url, **CLOSED, concurrency=2, requests=0, warmup_ns=50 * MS, duration_ns=200 * MS).requests
        arrived = server.count_posts()

    assert arrived == len(rows) == int((rows["outcome"] == Outcome.OK).sum())
    assert rows["sent_ns"].max() <= 260 * MS + rows["done_ns"].max() - rows["sent_ns"].max()
    assert int((~rows["measured"]).sum()) > 0


def test_users_are_dealt_out_to_the_workers(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=5 * MS)) as server:
        result = offer(server.url, **CLOSED, concurrency=3, requests=31, workers=2)

    assert 31 == len(result.requests)
    assert [0, 1] == np.unique(result.requests["worker"]).tolist()
    assert 3 == result.effective.connections


def test_a_user_whose_request_failed_goes_on_with_the_next(offer: Any) -> None:
    with known_server(Behaviour(reset_every=5)) as server:
        rows = offer(server.url, **CLOSED, concurrency=2, requests=40).requests

    assert 40 == len(rows)
    assert 8 == int((rows["outcome"] == Outcome.DISCONNECTED).sum())


def test_a_time_out_is_a_failure_and_the_user_goes_on(offer: Any) -> None:
    with known_server(Behaviour(silent_every=10)) as server:
        rows = offer(server.url, **CLOSED, concurrency=2, requests=40, timeout_ns=1_000 * MS).requests

    assert 4 == int((rows["outcome"] == Outcome.TIMEOUT).sum())
    assert 36 == int((rows["outcome"] == Outcome.OK).sum())


def test_a_server_that_dies_ends_the_loop_within_the_time_out(offer: Any) -> None:
    with known_server(Behaviour(die_after=20)) as server:
        rows = offer(server.url, **CLOSED, concurrency=2, requests=100_000, timeout_ns=300 * MS).requests

    assert 19 == int((rows["outcome"] == Outcome.OK).sum())
    assert 2 <= int((rows["outcome"] == Outcome.REFUSED).sum()) < 100
    assert np.all(rows["planned_ns"] >= 0)


def test_a_mix_sends_every_size_as_often_as_asked(offer: Any) -> None:
    prepared = [PreparedRequest(b"x" * size, (), size) for size in (1, 1, 8)]
    mix = (RowShare(rows=1, share=0.8), RowShare(rows=8, share=0.2))
    with known_server() as server:
        rows = offer(server.url, prepared=prepared, row_mix=mix, workers=2).requests

    assert [40, 10] == [int((rows["rows"] == size).sum()) for size in (1, 8)]
    assert 2 == len(np.unique(rows["sent_bytes"]))
    assert 1 == len(np.unique(rows["sent_bytes"][rows["rows"] == 8]))
