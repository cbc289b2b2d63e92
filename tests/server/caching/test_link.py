"""One connection to Redis: answers go to who asked, in order, and nobody is left without one."""

import asyncio
from typing import Any, cast

import pytest

from modeldyno.server.caching import link as cache_link
from modeldyno.server.caching.link import ENDED, Link
from modeldyno.wire.resp import Reply


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.buffered = 0
        self.was_aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def abort(self) -> None:
        self.was_aborted = True


class Talk:
    """A link and all that is heard of it."""

    def __init__(self, *, is_connected: bool = True) -> None:
        self.lost: list[str] = []
        self.heard: list[tuple[str, Reply]] = []
        self.transport = Transport()
        self.link = Link(lambda _link, why: self.lost.append(why))
        if is_connected:
            self.connect()

    def connect(self) -> None:
        self.link.connection_made(cast("asyncio.Transport", cast("Any", self.transport)))

    def ask(self, *names: str) -> None:
        self.link.send(*(((b"GET", name.encode()), self.listener(name)) for name in names))

    def listener(self, name: str) -> Any:
        return lambda reply: self.heard.append((name, reply))


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_answers_go_to_who_asked_in_order(talk: Talk) -> None:
    talk.ask("a", "b")
    talk.ask("c")
    assert talk.transport.written.count(b"GET") == 3
    for part in (b"$1\r", b"\nA\r\n$-1\r\n", b":5\r\n"):
        talk.link.data_received(part)
    assert [("a", b"A"), ("b", None), ("c", 5)] == talk.heard


def test_who_waits_when_it_ends_is_told_and_why_is_known(talk: Talk) -> None:
    talk.ask("a", "b")
    talk.link.connection_lost(ConnectionResetError("reset by peer"))
    assert [("a", ENDED), ("b", ENDED)] == talk.heard
    assert (["reset by peer"], False) == (talk.lost, talk.link.is_free)


@pytest.mark.parametrize("data", (b"+unasked\r\n", b"HTTP/1.1 200 OK\r\n"))
def test_it_is_ended_when_the_other_side_is_no_redis(talk: Talk, data: bytes) -> None:
    talk.link.data_received(data)
    assert (True, False) == (talk.transport.was_aborted, talk.link.is_free)
    talk.link.connection_lost(None)
    assert "edis" in talk.lost[0]


def test_it_takes_no_more_while_too_many_answers_are_awaited(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_link, "_MOST_PENDING", 2)
    free = [talk.link.is_free]
    talk.ask("a", "b")
    free.append(talk.link.is_free)
    talk.link.data_received(b"$-1\r\n")
    assert [True, False, True] == [*free, talk.link.is_free]


def test_it_takes_no_more_while_too_much_is_unsent(talk: Talk) -> None:
    talk.transport.buffered = 10**9
    assert not talk.link.is_free


def test_one_that_was_ended_before_it_was_connected_is_ended_then() -> None:
    talk = Talk(is_connected=False)
    talk.link.end("too late")
    talk.connect()
    assert (True, False) == (talk.transport.was_aborted, talk.link.is_free)
