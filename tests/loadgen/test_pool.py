import asyncio
import errno
from collections.abc import Callable, Coroutine
from typing import Any, cast

from modeldyno.loadgen.pool import Pool
from modeldyno.loadgen.transports.connection import Connection


class FakeConnection:
    def __init__(self) -> None:
        self.is_aborted = False
        self.has_answered = True
        self.connect_ns = -1

    def abort(self) -> None:
        self.is_aborted = True


class FakeOwner:
    def __init__(self) -> None:
        self.wanted = 0
        self.got: list[Connection] = []
        self.refusals = 0

    def waiting(self) -> int:
        return self.wanted

    def available(self, connection: Connection) -> None:
        self.wanted = max(0, self.wanted - 1)
        self.got.append(connection)

    def refused(self) -> None:
        self.refusals += 1


class Dialler:
    """Gives connections, or the problem that is set."""

    def __init__(self) -> None:
        self.problem: OSError | None = None
        self.attempts = 0

    async def __call__(self) -> Connection:
        self.attempts += 1
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        return cast("Connection", FakeConnection())


Scene = Callable[[Pool, FakeOwner, Dialler], Coroutine[Any, Any, None]]


def play(scene: Scene, *, size: int = 1, limit: int = 4) -> None:
    async def run() -> None:
        owner, dialler = FakeOwner(), Dialler()
        pool = Pool(dialler, owner, size=size, limit=limit)
        await pool.fill()
        await scene(pool, owner, dialler)
        pool.close()

    asyncio.run(run())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - the pool's own timer is what is waited for
        await asyncio.sleep(0.01)


def test_the_connection_used_last_is_used_first() -> None:
    async def scene(pool: Pool, owner: FakeOwner, dialler: Dialler) -> None:
        first, second = pool.take(), pool.take()
        assert first is not None
        assert second is not None
        pool.give_back(first)
        pool.give_back(second)

        assert second is pool.take()
        assert first is pool.take()
        assert pool.take() is None

    play(scene, size=2)


def test_it_opens_as_many_as_requests_wait_and_no_more_than_the_limit() -> None:
    async def scene(pool: Pool, owner: FakeOwner, dialler: Dialler) -> None:
        owner.wanted = 2
        pool.grow()
        pool.grow()
        await settle()
        assert 2 == len(owner.got)
        owner.wanted = 100
        pool.grow()
        await settle()

        assert 3 == len(owner.got)
        assert 4 == pool.opened == dialler.attempts
        assert 0 == pool.reconnects

    play(scene, size=1, limit=4)


def test_a_lost_connection_is_replaced_and_counted() -> None:
    async def scene(pool: Pool, owner: FakeOwner, dialler: Dialler) -> None:
        lost = pool.take()
        assert lost is not None
        pool.remove(lost)
        pool.give_back(lost)
        assert pool.take() is None
        await settle()

        assert (1, 1) == (len(owner.got), pool.reconnects)

    play(scene)


def test_requests_are_refused_only_when_no_connection_is_left() -> None:
    async def scene(pool: Pool, owner: FakeOwner, dialler: Dialler) -> None:
        dialler.problem = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        owner.wanted = 1
        pool.grow()
        await settle()
        assert 0 == owner.refusals
        await until(lambda: dialler.attempts >= 3)
        last = pool.take()
        assert last is not None
        pool.remove(last)
        await until(lambda: owner.refusals > 0)

    play(scene)


def test_after_a_refusal_it_tries_one_at_a_time_with_a_pause() -> None:
    async def scene(pool: Pool, owner: FakeOwner, dialler: Dialler) -> None:
        dialler.problem = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        owner.wanted = 3
        pool.grow()
        await settle()
        before = dialler.attempts
        for _ in range(100):
            pool.grow()
        await settle()
        assert before == dialler.attempts
        dialler.problem = None
        await until(lambda: len(owner.got) == 3)

    play(scene)


def test_a_server_that_drops_new_connections_is_not_hammered() -> None:
    async def scene(pool: Pool, owner: FakeOwner, dialler: Dialler) -> None:
        dropped = pool.take()
        assert dropped is not None
        dropped.has_answered = False
        pool.remove(dropped)
        await settle()
        assert 1 == dialler.attempts
        await until(lambda: dialler.attempts == 2)

    play(scene)


def test_when_this_machine_is_the_limit_nobody_is_refused_and_it_is_noted() -> None:
    async def scene(pool: Pool, owner: FakeOwner, dialler: Dialler) -> None:
        last = pool.take()
        assert last is not None
        dialler.problem = OSError(errno.EMFILE, "Too many open files")
        pool.remove(last)
        await settle()

        assert 0 == owner.refusals
        assert ["stopped at 0 connections: Too many open files"] == list(pool.notes)

    play(scene)


def test_closing_closes_every_connection() -> None:
    async def scene(pool: Pool, owner: FakeOwner, dialler: Dialler) -> None:
        connections = [pool.take(), pool.take()]

        assert 2 == pool.close()
        assert all(cast("FakeConnection", connection).is_aborted for connection in connections)
        owner.wanted = 1
        pool.grow()
        await settle()
        assert [] == owner.got

    play(scene, size=2)
