import http.client
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from modeldyno.clock import SystemClock
from modeldyno.errors import UsageError
from modeldyno.testing.known_servers import Behaviour, known_server, main
from modeldyno.testing.lanes import Stalls, simulate
from modeldyno.testing.service_times import ServiceTimes
from modeldyno.testing.truth import Fate

MS = 1_000_000
Infer = Callable[..., list[Any]]


@pytest.mark.parametrize("lanes", (1, 2, 0))
def test_the_account_is_that_of_a_queue_with_the_drawn_service_times(infer: Infer, lanes: int) -> None:
    times = ServiceTimes(shape="exponential", mean_ns=2 * MS)
    with known_server(Behaviour(service=times, lanes=lanes, seed=5)) as server:
        infer(server.url, 60, connections=4)
        rows = server.truth()

    assert list(range(1, 61)) == rows["number"].tolist()
    assert np.all(np.diff(rows["arrived_ns"]) >= 0)
    assert times.draw_ns(np.random.default_rng(5), 4096)[:60].tolist() == rows["service_ns"].tolist()
    stays = simulate(rows["arrived_ns"].tolist(), rows["service_ns"].tolist(), lanes)
    assert [stay.begun_ns for stay in stays] == rows["begun_ns"].tolist()
    assert [stay.done_ns for stay in stays] == rows["due_ns"].tolist()
    assert np.all(rows["done_ns"] >= rows["due_ns"])
    assert bool(lanes) == bool(np.any(rows["begun_ns"] > rows["arrived_ns"]))


def test_what_it_says_of_its_times_is_its_account(infer: Infer) -> None:
    times = ServiceTimes(shape="uniform", mean_ns=2 * MS)
    with known_server(Behaviour(service=times, tells_times=True)) as server:
        replies = infer(server.url, 20, connections=2)
        rows = server.truth()

    said = sorted(reply.headers["server-timing"] for reply in replies)
    queued, served = rows["begun_ns"] - rows["arrived_ns"], rows["due_ns"] - rows["begun_ns"]
    for wait, work in zip(queued / 1e6, served / 1e6, strict=True):
        assert 1 == sum(text.startswith(f"queue;dur={wait:.6f}, inference;dur={work:.6f}, total;dur=") for text in said)


def test_nothing_is_answered_during_a_stall(infer: Infer) -> None:
    with known_server(Behaviour(delay_ns=2 * MS, stall_every_ns=100 * MS, stall_ns=60 * MS)) as server:
        infer(server.url, 180, connections=3)
        rows = server.truth()

    first_ns = int(rows["arrived_ns"][0])
    stalls = Stalls(100 * MS, 60 * MS, first_ns)
    assert rows["due_ns"].tolist() == [
        stalls.finish_ns(stalls.finish_ns(int(came), 0) + 2 * MS, 0) for came in rows["arrived_ns"]
    ]
    into_ns = (rows["due_ns"] - first_ns) % (100 * MS)
    assert np.all((into_ns >= 60 * MS) | (rows["due_ns"] < first_ns + 100 * MS))
    assert np.any(rows["due_ns"] - rows["arrived_ns"] > 10 * MS)


def test_a_slow_reader_takes_its_time_for_every_byte(infer: Infer) -> None:
    clock = SystemClock()
    document = {"inputs": [{"shape": [1, 4]}], "filler": "x" * 2000}
    with known_server(Behaviour(read_bytes_per_s=20_000)) as server:
        begun_ns = clock.now_ns()
        infer(server.url, 2, document=document)
        took_ns = clock.now_ns() - begun_ns

    assert took_ns >= 2 * 2000 * 50_000


def test_a_slow_reader_makes_a_client_with_much_to_say_wait(infer: Infer) -> None:
    with known_server(Behaviour(read_bytes_per_s=1_000)) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.sendall(
                    b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n" + bytes(50_000_000)
                )


def test_an_answer_in_pieces_takes_as_long_as_its_gaps(infer: Infer) -> None:
    with known_server(Behaviour(pieces=4, piece_gap_ns=10 * MS)) as server:
        reply = infer(server.url, 1)[0]
        rows = server.truth()

    assert [0.0, 0.0] == reply.document["outputs"][0]["data"]
    assert rows["done_ns"][0] - rows["due_ns"][0] >= 30 * MS


def test_statuses_are_answered_in_turn_and_the_connection_goes_on(infer: Infer) -> None:
    statuses = (301, 304, 400, 404, 429, 500, 503, 599)
    with known_server(Behaviour(status_every=2, statuses=statuses)) as server:
        replies = infer(server.url, 20)
        rows = server.truth()

    expected = [200 if number % 2 else statuses[(number // 2 - 1) % 8] for number in range(1, 21)]
    assert expected == [reply.status for reply in replies] == rows["status"].tolist()
    assert "/" == replies[1].headers["location"]
    assert b"" == replies[3].body
    assert ["1", "1"] == [replies[place].headers["retry-after"] for place in (9, 13)]
    assert [Fate.ANSWERED, Fate.STATUS] * 10 == rows["fate"].tolist()


def test_an_answer_repeats_the_id_unless_it_is_for_another_request(infer: Infer) -> None:
    with known_server(Behaviour(wrong_id_every=3)) as server:
        replies = infer(server.url, 6)
        anonymous = infer(server.url, 3, document={"inputs": [{"shape": [1, 4]}]})
        rows = server.truth()

    assert [True, True, False] * 2 == [reply.document["id"] == "7" for reply in replies]
    assert not any("id" in reply.document for reply in anonymous)
    assert 3 == np.sum(rows["fate"] == Fate.WRONG_ID)


def test_a_wrong_answer_is_of_the_right_shape(infer: Infer) -> None:
    with known_server(Behaviour(wrong_answer_every=2)) as server:
        replies = infer(server.url, 4)

    assert [[0.0, 0.0], [1.0, 1.0]] * 2 == [reply.document["outputs"][0]["data"] for reply in replies]
    assert [2, 1] == replies[1].document["outputs"][0]["shape"]


def test_what_is_no_request_of_the_protocol_has_no_outputs(infer: Infer) -> None:
    with known_server() as server:
        assert {"outputs": []} == infer(server.url, 1, document=[1, 2])[0].document


@pytest.mark.parametrize(
    ("behaviour", "fate"),
    (
        (Behaviour(reset_every=1), Fate.RESET),
        (Behaviour(truncate_every=1), Fate.TRUNCATED),
        (Behaviour(garbage_every=1), Fate.GARBAGE),
    ),
)
def test_a_broken_answer_breaks_the_client_and_is_accounted_for(infer: Infer, behaviour: Behaviour, fate: Fate) -> None:
    with known_server(behaviour) as server:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            infer(server.url, 1)
        rows = server.truth()

    assert [fate] == rows["fate"].tolist()


def test_a_request_that_is_never_answered_has_no_end(infer: Infer) -> None:
    with known_server(Behaviour(silent_every=1)) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            while not len(rows := server.truth()):
                pass

    assert [(Fate.SILENT, 0, -1)] == rows[["fate", "status", "done_ns"]].tolist()


def test_a_client_that_leaves_is_not_answered() -> None:
    with known_server(Behaviour(delay_ns=50 * MS)) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            while not len(rows := server.truth()):
                pass
            under_way = rows["fate"].tolist()
        while (rows := server.truth())["fate"][0] == Fate.UNDER_WAY:
            pass

    assert [Fate.UNDER_WAY] == under_way
    assert [(Fate.LEFT, -1)] == rows[["fate", "done_ns"]].tolist()


def test_it_lists_its_model_without_counting_that() -> None:
    with known_server() as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        connection.request("POST", "/v2/repository/index", b"{}")
        assert b"known" in connection.getresponse().read()
        connection.close()
        assert 0 == server.count_posts()


@pytest.mark.parametrize(
    "changes",
    (
        {"lanes": -1}, {"pieces": 0}, {"stall_every_ns": 5}, {"stall_every_ns": 5, "stall_ns": 5}, {"statuses": ()},
        {"statuses": (100,)}, {"statuses": (600,)},
    ),
)  # fmt: skip
def test_a_behaviour_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Behaviour(**changes)


@pytest.mark.parametrize(
    "text", ("{", '{"lanes": "two"}', '{"lanes": -1}', '{"unknown": 1}', '{"service": {"mean_ns": 0}}')
)
def test_a_command_line_that_cannot_be_is_named(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main([text])
    assert capsys.readouterr().err.startswith("error: ")
