"""Where the load goes: a URL, and the address behind it that takes connections."""

import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from modeldyno.errors import TargetError, UsageError
from modeldyno.units import format_duration


class Target(NamedTuple):
    """A server that speaks HTTP without encryption."""

    url: str
    host: str
    port: int
    base_path: str
    """What the URL has before the request's own path, without a slash at the end."""

    @property
    def host_header(self) -> str:
        """The `Host` header: with brackets around an IPv6 address, with the port unless it is 80."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """`http://host[:port][/base]` to its parts.

    Raises:
        UsageError: another scheme, no host, a port that is none, a user name, a query.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as problem:
        raise UsageError(f"{url!r} is not a URL", why=str(problem), hint="for example http://127.0.0.1:8000") from None
    if parts.scheme == "https":
        raise UsageError(
            f"{url} asks for https",
            why="the load generator speaks plain HTTP/1.1; encryption would be measured as the server's time",
            hint="give the http:// address behind the TLS proxy",
        )
    if parts.scheme != "http" or not host or port == 0:
        raise UsageError(f"{url!r} is not a URL of a server", hint="for example http://127.0.0.1:8000")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            f"{url!r} has more than a host, a port and a path",
            hint="give a user's credentials as an Authorization header",
        )
    return Target(url, host, port or 80, parts.path.rstrip("/"))


def find_address(target: Target, timeout_s: float) -> tuple[str, int]:
    """Connect once, so that an unreachable server is an error before anything is recorded.

    All connections then go to the same address: a name with several would split the load in a way nobody asked for.

    Raises:
        TargetError: names the URL and the reason.
    """
    try:
        with socket.create_connection((target.host, target.port), timeout_s) as connection:
            address = connection.getpeername()
    except OSError as problem:
        raise unreachable(target, _reason(target, problem, timeout_s)) from problem
    except UnicodeError as problem:
        raise UsageError(f"{target.host!r} is not a host name", why=str(problem)) from problem
    return str(address[0]), int(address[1])


def unreachable(target: Target, reason: str) -> TargetError:
    """The error to raise when no connection can be made."""
    return TargetError(
        f"cannot reach {target.url}", why=reason, hint="check that the server runs and that host and port are right"
    )


def _reason(target: Target, problem: OSError, timeout_s: float) -> str:
    if isinstance(problem, socket.gaierror):
        return f"the host name {target.host!r} cannot be resolved: {problem.strerror}"
    if isinstance(problem, TimeoutError):
        return f"no connection within {format_duration(timeout_s * 1e9)}"
    return (problem.strerror or str(problem)).lower()
