"""Answers in Redis: a `modeldyno.server.caching.shared.Store` that never holds a request for long.

Redis that is slow, full or gone costs its users answers, and nothing else. The client is ours, because the common one
takes a task and six times the CPU for each look: docs/decisions/0014-shared-cache.md.
"""

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import Callable
from functools import partial

from modeldyno.clock import Clock
from modeldyno.errors import InputError
from modeldyno.policies.circuit import Circuit
from modeldyno.records.server import RedisCache, ServerSettings
from modeldyno.secret import Secret
from modeldyno.server.caching.link import ENDED, Link
from modeldyno.server.caching.shared import Found
from modeldyno.server.loop import Handle
from modeldyno.wire.resp import RedisError, Reply

_LOG = logging.getLogger("modeldyno.server")
_CONNECT_S = 5.0
_MOST_FAILURES = 5
_FIRST_WAIT_NS = 500 * 10**6
_LONGEST_WAIT_NS = 30 * 10**9


class RedisStore:
    """Keeps one connection, and finds another when it ends.

    Args:
        settings: where Redis is, and how long a look may take.
        password: of its user; None: it asks for none.
        loop: what it runs on.
        clock: of the server.

    Raises:
        InputError: the file with the authorities is not what it should be.
    """

    def __init__(
        self, settings: RedisCache, *, password: Secret | None, loop: asyncio.AbstractEventLoop, clock: Clock
    ) -> None:
        self.namespace = settings.namespace.encode()
        self._settings = settings
        self._password = password
        self._loop = loop
        self._clock = clock
        self._tls = _context(settings.authorities) if settings.tls else None
        self._circuit = Circuit(
            most_failures=_MOST_FAILURES, first_wait_ns=_FIRST_WAIT_NS, longest_wait_ns=_LONGEST_WAIT_NS
        )
        self._link: Link | None = None
        """Where commands go; None while there is no connection."""
        self._connecting: asyncio.Task[None] | None = None
        self._retry: Handle | None = None
        self._is_closed = False
        self._is_failing = False
        self._is_full = False

    def start(self) -> None:
        """Begin to connect, on the loop's thread; nobody waits for it."""
        self._connecting = self._loop.create_task(self._connect())

    async def close(self) -> None:
        """End the connection; who waits for an answer is told that there is none."""
        self._is_closed = True
        if self._retry is not None:
            self._retry.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        if self._link is not None:
            link, self._link = self._link, None
            link.end("the server ends")
            await asyncio.sleep(0)  # until the loop has ended the connection

    def find(self, key: bytes, found: Callable[[Found], None], *, with_age: bool) -> bool:
        """See `Store`."""
        if self._link is None or not self._link.is_free:
            return False
        look = _Look(found)
        look.timer = self._loop.call_later(self._settings.limit_ns / 1e9, self._give_up, look)
        if with_age:
            self._link.send(
                ((b"GET", key), look.take_content), ((b"PTTL", key), lambda reply: self._end(look, reply, reply))
            )
        else:
            self._link.send(((b"GET", key), lambda reply: self._end(look, look.take_content(reply), None)))
        return True

    def keep(self, key: bytes, content: bytes, kept: Callable[[bool], None], *, ttl_ms: int | None) -> bool:
        """See `Store`."""
        if self._link is None or not self._link.is_free:
            return False
        age = () if ttl_ms is None else (b"PX", b"%d" % ttl_ms)
        self._link.send(((b"SET", key, content, *age), lambda reply: kept(self._has_kept(reply))))
        return True

    def _has_kept(self, reply: Reply) -> bool:
        if not isinstance(reply, RedisError):
            self._is_full = False
            return True
        if reply is not ENDED and not self._is_full:
            self._is_full = True
            _LOG.warning("%s keeps no more answers: %s", self._where, reply.message)
        return False

    def _end(self, look: "_Look", last: Reply, left: Reply) -> None:
        """All that was asked for a look is answered."""
        if look.found is None:
            return  # too late
        found, look.found = look.found, None
        if look.timer is not None:
            look.timer.cancel()
        problem = next((one for one in (look.content, last) if isinstance(one, RedisError)), None)
        if problem is not None and problem.code != "WRONGTYPE":  # somebody else's key is a miss
            found(Found(None, is_error=True))
            if problem is not ENDED:
                self._note_failure(problem.message)
            return
        self._circuit.succeed()
        if self._is_failing:
            self._is_failing = False
            _LOG.warning("%s answers again", self._where)
        content = look.content if isinstance(look.content, bytes) else None
        found(Found(content, left if isinstance(left, int) and left >= 0 else None))

    def _give_up(self, look: "_Look") -> None:
        """It took too long; whoever asked goes on without."""
        if look.found is not None:
            found, look.found = look.found, None
            found(Found(None, is_error=True))
            self._note_failure(f"no answer within {self._settings.limit_ns / 1e6:g} ms")

    def _note_failure(self, why: str) -> None:
        if self._circuit.fail() and self._link is not None:
            self._link.end(why)

    @property
    def _where(self) -> str:
        return f"the shared cache at {self._settings.host}:{self._settings.port}"

    async def _connect(self) -> None:
        link = Link(self._hear_lost)
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._loop.create_connection(
                    lambda: link, self._settings.host, self._settings.port, ssl=self._tls
                )
                await self._introduce(link)
        except (OSError, UnicodeError, _RefusedError) as problem:  # UnicodeError: of a name that is none
            link.end(str(problem) or "no answer")
            self._leave_alone(str(problem) or f"no answer within {_CONNECT_S:g} s")
            return
        except BaseException:
            link.end("the server ends")
            raise
        if not self._is_closed:
            self._circuit.close()
            self._link = link

    async def _introduce(self, link: Link) -> None:
        """Say who is there and which database is meant, and see that it answers."""
        settings, commands = self._settings, []
        if self._password is not None:
            user = (settings.user.encode(),) if settings.user else ()
            commands.append((b"AUTH", *user, self._password.reveal()))
        if settings.database:
            commands.append((b"SELECT", b"%d" % settings.database))
        for command in (*commands, (b"PING",)):
            answer: asyncio.Future[Reply] = self._loop.create_future()
            link.send((command, partial(_set_once, answer)))
            reply = await answer
            if isinstance(reply, RedisError):
                raise _RefusedError(link.why or reply.message)
        if link.why:
            raise _RefusedError(link.why)  # it ended right behind its last answer

    def _hear_lost(self, link: Link, why: str) -> None:
        if link is self._link:
            self._link = None
            self._leave_alone(why)

    def _leave_alone(self, why: str) -> None:
        if self._is_closed:
            return
        now_ns = self._clock.now_ns()
        wait_s = (self._circuit.trip(now_ns) - now_ns) / 1e9
        if not self._is_failing:
            self._is_failing = True
            _LOG.warning("%s is left out until it answers again: %s", self._where, why)
        self._retry = self._loop.call_later(wait_s, self.start)


def _set_once(answer: "asyncio.Future[Reply]", reply: Reply) -> None:
    if not answer.done():
        answer.set_result(reply)


class _RefusedError(Exception):
    """Redis does not let us in."""


class _Look:
    """A look that waits for its answers."""

    __slots__ = ("content", "found", "timer")

    def __init__(self, found: Callable[[Found], None]) -> None:
        self.found: Callable[[Found], None] | None = found
        self.content: Reply = None
        self.timer: Handle | None = None

    def take_content(self, reply: Reply) -> Reply:
        self.content = reply
        return reply


def redis_store(settings: ServerSettings, *, loop: asyncio.AbstractEventLoop, clock: Clock) -> RedisStore | None:
    """The store that the settings name, with the password that is in the environment; None where they name none.

    Raises:
        InputError: see `RedisStore`.
    """
    redis = settings.redis
    if redis is None:
        return None
    password = os.environ.get(redis.password_variable, "")
    return RedisStore(redis, password=Secret(password.encode()) if password else None, loop=loop, clock=clock)


def _context(authorities: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities or None)
    except (OSError, ssl.SSLError) as problem:
        raise InputError(
            f"{authorities} does not hold certificate authorities for the shared cache",
            why=getattr(problem, "strerror", None) or str(problem),
            hint="give a PEM file: --cache-redis-ca FILE",
        ) from problem
