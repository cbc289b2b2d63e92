"""Arguments of where servers share their answers."""

import argparse
import os
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from modeldyno.cli.typed import typed
from modeldyno.errors import UsageError
from modeldyno.units import parse_duration_ns

if TYPE_CHECKING:
    from modeldyno.records.server import RedisCache

PASSWORD_VARIABLE = "DYNO_REDIS_PASSWORD"  # noqa: S105 - a name
_FORM = "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// with TLS"


def add_caching(parser: argparse.ArgumentParser) -> None:
    """Declare them for a server."""
    group = parser.add_argument_group(
        "shared answers", "of several servers; each also needs a cache of its own: --cache"
    )
    group.add_argument(
        "--cache-redis",
        metavar="URL",
        help=f"Redis to look in for answers that are not in the own memory: {_FORM}; "
        f"better than in the URL, where every user of the machine sees it, is a password in {PASSWORD_VARIABLE}",
    )
    group.add_argument(
        "--cache-redis-limit",
        type=typed(parse_duration_ns),
        metavar="TIME",
        help="how long a request waits for Redis before it is computed (20ms)",
    )
    group.add_argument("--cache-redis-namespace", metavar="NAME", help="what all keys begin with (modeldyno)")
    group.add_argument("--cache-redis-ca", metavar="FILE", help="PEM file with who signed the certificate of Redis")


def redis_of(arguments: argparse.Namespace) -> "RedisCache | None":
    """Where answers are shared; a password in the URL goes to the environment, for this process and its workers.

    Raises:
        UsageError: it is no such URL, or something is given that means nothing without it.
    """
    from modeldyno.records.server import RedisCache

    limit_ns, namespace = arguments.cache_redis_limit, arguments.cache_redis_namespace
    if arguments.cache_redis is None:
        _refuse_orphans(arguments)
        return None
    parts, port = _split(arguments.cache_redis)
    if arguments.cache_redis_ca and parts.scheme != "rediss":
        raise UsageError("--cache-redis-ca means nothing without TLS", hint="--cache-redis rediss://HOST")
    if namespace is not None and not namespace.strip():
        raise UsageError("keys in Redis cannot begin with nothing", hint="for example --cache-redis-namespace shop")
    if limit_ns is not None and limit_ns < 1_000_000:
        raise UsageError("Redis is to answer in less than 1 ms", hint="for example --cache-redis-limit 20ms")
    if parts.password:
        os.environ[PASSWORD_VARIABLE] = unquote(parts.password)
    return RedisCache(
        host=parts.hostname or "",
        port=port,
        database=int(parts.path.strip("/") or "0"),
        user=unquote(parts.username or ""),
        password_variable=PASSWORD_VARIABLE,
        tls=parts.scheme == "rediss",
        authorities=arguments.cache_redis_ca or "",
        namespace="modeldyno" if namespace is None else namespace,
        limit_ns=20_000_000 if limit_ns is None else limit_ns,
    )


def _refuse_orphans(arguments: argparse.Namespace) -> None:
    for name in ("limit", "namespace", "ca"):
        if getattr(arguments, f"cache_redis_{name}") is not None:
            raise UsageError(f"--cache-redis-{name} means nothing without Redis", hint="--cache-redis redis://HOST")


def _split(url: str) -> tuple[SplitResult, int]:
    """The parts of the URL, and its port. Nothing of it is in an error: it may hold a password."""
    try:
        parts = urlsplit(url)
        port = 6379 if parts.port is None else parts.port
    except ValueError:
        raise UsageError("that is no URL of Redis", why="its host or port cannot be read", hint=_FORM) from None
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname or parts.query or parts.fragment:
        raise UsageError("that is no URL of Redis", why="it has another form", hint=_FORM)
    if not (parts.path.strip("/") or "0").isdecimal():
        raise UsageError("that is no URL of Redis", why="its path is not the number of a database", hint=_FORM)
    return parts, port
