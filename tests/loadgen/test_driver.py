import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeldyno.errors import ExitCode, TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.load_result import LoadResult
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.records.requests import Outcome
from modeldyno.testing.known_servers import Behaviour, known_server

MS = 1_000_000


def count(result: LoadResult, outcome: Outcome) -> int:
    return int(np.sum(result.requests["outcome"] == outcome))


def test_every_planned_request_is_sent_answered_and_counted_by_the_server(offer: Any) -> None:
    with known_server() as server:
        result = offer(server.url)
        arrived = server.count_posts()

    assert 50 == count(result, Outcome.OK) == arrived
    assert [200] == np.unique(result.requests["status"]).tolist()
    assert not result.interrupted


def test_the_rows_are_in_planned_order_and_on_the_planned_grid(offer: Any) -> None:
    with known_server() as server:
        result = offer(server.url, workers=2)

    assert (np.arange(50) * 5 * MS).tolist() == result.requests["planned_ns"].tolist()
    assert [0, 1] * 25 == result.requests["worker"].tolist()
    assert [False] * 10 + [True] * 40 == result.requests["measured"].tolist()
    assert 2 == result.effective.workers


def test_the_stamps_of_an_answered_request_are_in_order(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=3 * MS)) as server:
        rows = offer(server.url, arrivals="poisson").requests

    assert np.all(rows["planned_ns"] <= rows["sent_ns"])
    assert np.all(rows["sent_ns"] < rows["first_byte_ns"])
    assert np.all(rows["first_byte_ns"] <= rows["done_ns"])
    assert np.all(rows["done_ns"] - rows["sent_ns"] >= 2 * MS)  # the server's own timer rounds to a millisecond


def test_a_stall_is_charged_in_full_to_every_request_that_was_due_meanwhile(offer: Any) -> None:
    stall_ns = 300 * MS
    with known_server(Behaviour(stall_at=20, stall_ns=stall_ns)) as server:
        rows = offer(server.url, requests=160, warmup_requests=0, max_connections=2).requests

    stalled = rows[np.flatnonzero(rows["done_ns"] - rows["sent_ns"] >= stall_ns)[0]]
    stall_end_ns = stalled["sent_ns"] + stall_ns
    due = rows[(rows["planned_ns"] > stalled["sent_ns"]) & (rows["planned_ns"] < stall_end_ns)]
    assert len(due) >= 50
    assert np.all(due["done_ns"] >= stall_end_ns)
    assert np.all(due["outcome"] == Outcome.OK)


def test_a_request_without_a_free_connection_waits_and_pays_for_it(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=20 * MS)) as server:
        rows = offer(server.url, requests=20, warmup_requests=0, connections=1, max_connections=1).requests

    last = rows[-1]
    assert last["done_ns"] - last["planned_ns"] >= 20 * 19 * MS - last["planned_ns"]
    assert last["sent_ns"] >= rows[-2]["done_ns"]
    assert np.all(np.diff(rows["sent_ns"]) > 0)


def test_connections_are_opened_when_all_are_busy_up_to_the_limit(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=100 * MS)) as server:
        result = offer(server.url, rate_per_s=100.0, connections=1, max_connections=6)

    assert 6 == result.effective.connections
    assert 0 == result.effective.reconnects


def test_what_cannot_be_sent_before_the_end_stays_unsent_and_is_not_lost(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=40 * MS)) as server:
        result = offer(
            server.url, requests=60, warmup_requests=0, connections=1, max_connections=1, timeout_ns=200 * MS
        )
        arrived = server.count_posts()

    unsent = result.requests[result.requests["outcome"] == Outcome.NOT_SENT]
    assert len(unsent) > 0
    assert 60 == len(unsent) + arrived
    assert np.all(unsent["sent_ns"] == -1)
    assert np.all(unsent["done_ns"] == -1)


def test_a_request_that_takes_too_long_is_a_timeout_and_the_others_go_on(offer: Any) -> None:
    with known_server(Behaviour(silent_every=5)) as server:
        result = offer(server.url, timeout_ns=1_000 * MS)

    late = result.requests[result.requests["outcome"] == Outcome.TIMEOUT]
    assert 10 == len(late)
    assert np.all(late["done_ns"] - late["sent_ns"] >= 1_000 * MS)
    assert 40 == count(result, Outcome.OK)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "status"),
    (
        (Behaviour(reset_every=5), Outcome.DISCONNECTED, 0),
        (Behaviour(truncate_every=5), Outcome.DISCONNECTED, 0),
        (Behaviour(garbage_every=5), Outcome.MALFORMED, 0),
        (Behaviour(status_every=5), Outcome.HTTP_ERROR, 503),
    ),
)
def test_failures_are_counted_by_kind(offer: Any, behaviour: Behaviour, outcome: Outcome, status: int) -> None:
    with known_server(behaviour) as server:
        result = offer(server.url)
        arrived = server.count_posts()

    assert 10 == count(result, outcome)
    assert 40 == count(result, Outcome.OK)
    assert 50 == arrived
    assert [status] == np.unique(result.requests["status"][result.requests["outcome"] == outcome]).tolist()


@pytest.mark.parametrize(
    "behaviour",
    (
        Behaviour(close_every=3),
        Behaviour(until_close_every=3),
        Behaviour(chunked_every=1),
    ),
)
def test_every_way_the_protocol_allows_to_end_an_answer_is_a_success(offer: Any, behaviour: Behaviour) -> None:
    with known_server(behaviour) as server:
        result = offer(server.url)

    assert 50 == count(result, Outcome.OK)


def test_connections_that_the_server_closes_while_idle_are_opened_again(offer: Any) -> None:
    with known_server(Behaviour(close_idle_after_ns=30 * MS)) as server:
        result = offer(server.url, rate_per_s=10.0, requests=6, warmup_requests=0, connections=1)

    assert 6 == count(result, Outcome.OK)
    # A machine that stalls sends some of them so soon after the last that the connection was not idle for long enough.
    assert 1 <= result.effective.reconnects <= 6


def test_a_connection_that_went_stale_while_idle_costs_time_but_no_failure(offer: Any) -> None:
    with known_server(Behaviour(reset_after_idle_ns=1_100 * MS)) as server:
        result = offer(server.url, rate_per_s=0.4, requests=2, warmup_requests=0, connections=1)
        arrived = server.count_posts()

    assert 2 == count(result, Outcome.OK) == arrived
    assert 1 == result.effective.reconnects


def test_a_server_that_dies_is_refused_requests_to_the_end_of_the_plan(offer: Any) -> None:
    with known_server(Behaviour(die_after=20)) as server:
        result = offer(server.url, rate_per_s=100.0, requests=140)

    assert 19 == count(result, Outcome.OK)
    assert count(result, Outcome.DISCONNECTED) >= 1
    refused = result.requests[result.requests["outcome"] == Outcome.REFUSED]
    assert len(refused) >= 20
    assert np.all(refused["sent_ns"] == -1)
    assert np.all(refused["done_ns"] >= refused["planned_ns"])
    assert 0 == count(result, Outcome.NOT_SENT)


def test_a_server_that_is_not_there_is_named_before_anything_is_recorded(offer: Any, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(TargetError) as caught:
            offer(url)

    assert ExitCode.UNREACHABLE == caught.value.exit_code
    assert url in caught.value.what
    assert "connection refused" == caught.value.why
    assert not (tmp_path / "run").exists()


def test_prepared_requests_are_sent_in_turn_whoever_sends_them(offer: Any) -> None:
    prepared = [PreparedRequest(b"x" * size, (), size) for size in (10, 20, 30)]
    with known_server() as server:
        rows = offer(server.url, prepared=prepared, workers=2).requests

    assert [(10, 20, 30)[index % 3] for index in range(50)] == rows["rows"].tolist()
    assert [10, 20] == np.diff(rows["sent_bytes"][[0, 1, 5]]).cumsum().tolist()


def test_what_the_server_says_of_its_own_time_is_in_the_row(offer: Any) -> None:
    timing = "preprocess;dur=0.25, queue;dur=1, inference;dur=2.5, postprocess;dur=0.125, total;dur=3.9"
    with known_server(Behaviour(server_timing=timing)) as server:
        rows = offer(server.url).requests

    expected = [250_000, 1_000_000, 2_500_000, 125_000, 3_900_000]
    names = ("preprocess", "queue", "inference", "postprocess", "total")
    assert expected == [int(rows[f"server_{name}_ns"][7]) for name in names]


def test_a_server_that_says_nothing_of_its_time_has_minus_one(offer: Any) -> None:
    with known_server() as server:
        rows = offer(server.url).requests

    assert [-1] == np.unique(rows["server_total_ns"]).tolist()


def test_the_servers_cpu_time_and_memory_are_read_when_it_is_known(offer: Any) -> None:
    with known_server() as server:
        effective = offer(server.url, server_pids=[server.pid]).effective

    assert effective.server_cpu_ns > 0
    assert effective.server_peak_memory_bytes > 1_000_000
    assert effective.client_cpu_fraction > 0


def test_the_servers_cpu_time_is_unknown_when_nobody_says_who_it_is(offer: Any) -> None:
    with known_server() as server:
        effective = offer(server.url).effective

    assert effective.server_cpu_ns is None
    assert effective.server_peak_memory_bytes is None


def test_progress_says_what_is_asked_delivered_and_failed(offer: Any, listener: Any) -> None:
    with known_server(Behaviour(status_every=5)) as server:
        offer(server.url, rate_per_s=50.0)

    assert [pytest.approx(49 / 50)] == listener.totals
    assert len(listener.shown) >= 3
    assert "/s of 50/s asked, p50 " in listener.shown[-1]
    assert listener.shown[-1].endswith("backlog 0 in flight, failures: http error 10")
    assert 1 == listener.ends


def test_a_full_disk_does_not_end_the_run_and_is_told(offer: Any, listener: Any, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "requests.part-0").symlink_to("/dev/full")
    with known_server() as server:
        result = offer(server.url)

    assert 50 == count(result, Outcome.OK)
    assert 1 == len(listener.said)
    assert "no space left" in listener.said[0]


@pytest.mark.parametrize("name", ("localhost", "::1"))
def test_names_and_ipv6_addresses_are_fine(offer: Any, name: str) -> None:
    try:
        address = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)[0][4][0]
        with socket.socket(socket.AF_INET6 if ":" in str(address) else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError:
        pytest.skip(f"{name} does not work on this machine")
    with known_server(Behaviour(host=str(address))) as server:
        port = server.url.rsplit(":", 1)[1]
        host = f"[{name}]" if ":" in name else name
        result = offer(f"http://{host}:{port}/", requests=5)

    assert 15 == count(result, Outcome.OK)


@pytest.mark.parametrize(
    "changes",
    (
        {"rate_per_s": 0.0}, {"rate_per_s": float("nan")}, {"rate_per_s": float("inf")}, {"requests": 0},
        {"warmup_requests": -1}, {"workers": 0}, {"connections": 0}, {"timeout_ns": 0}, {"prepared": ()},
        {"wiring": Wiring(access=Access(headers=(("Content-Length", "1"),)))},
        {"arrivals": "replay"}, {"arrivals": "closed", "rate_per_s": 1.0},
        {"arrivals": "closed", "concurrency": 1, "requests": 0},
    ),
)  # fmt: skip
def test_a_workload_that_cannot_be_is_wrong_usage(offer: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        offer("http://127.0.0.1:1", **changes)


def test_a_process_that_stays_awake_sends_every_request_and_never_before_its_moment(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=3 * MS)) as server:
        result = offer(server.url, awake=True)
        arrived = server.count_posts()

    assert 50 == count(result, Outcome.OK) == arrived
    assert np.all(result.requests["sent_ns"] >= result.requests["planned_ns"])
    assert result.effective.awake_fraction is not None
    assert 0.5 < result.effective.awake_fraction <= 1


def test_a_process_that_was_not_asked_to_stay_awake_does_not_claim_to(offer: Any) -> None:
    assert offer("null:", wiring=Wiring(transport="null")).effective.awake_fraction is None


def test_waiting_awake_is_no_work(offer: Any) -> None:
    # It sends one request in 30 ms and waits for the rest of them; a machine that stalls takes no CPU time meanwhile.
    result = offer("null:", wiring=Wiring(transport="null"), awake=True, rate_per_s=30.0)

    assert result.effective.client_cpu_fraction < 0.5


def test_users_of_a_closed_loop_are_served_by_a_process_that_stays_awake(offer: Any) -> None:
    with known_server(Behaviour(delay_ns=3 * MS)) as server:
        closed = {"arrivals": "closed", "rate_per_s": 0.0, "warmup_requests": 0, "concurrency": 3}
        result = offer(server.url, awake=True, **closed)

    assert 40 == count(result, Outcome.OK)
    assert result.effective.awake_fraction is not None


def test_what_a_server_says_with_its_errors_is_kept_by_kind(offer: Any) -> None:
    with known_server(Behaviour(status_every=5, statuses=(400, 503))) as server:
        result = offer(server.url, workers=2)

    assert {"http_400", "http_503"} == set(result.effective.failures_said)
    assert all(result.effective.failures_said.values())
