"""A server in a process of its own: its first line on stdout is its URL, and it ends on SIGTERM or SIGINT."""

import argparse
import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import NamedTuple

import uvloop


class Place(NamedTuple):
    """Where to listen."""

    host: str
    port: int
    """0 takes any free one."""


def place_asked(arguments: Sequence[str], *, module: str, description: str | None) -> Place:
    """What `--host` and `--port` say."""
    parser = argparse.ArgumentParser(prog=module, description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free one")
    options = parser.parse_args(arguments)
    return Place(options.host, options.port)


def run_standing(begin: Callable[[], Callable[[], asyncio.Protocol]], place: Place, *, scheme: str = "http") -> None:
    """Serve until told to stop.

    Args:
        begin: what makes connections; asked for on the running loop.
        place: where to listen.
        scheme: of the URL that is told.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_stand(begin, place, scheme))


async def _stand(begin: Callable[[], Callable[[], asyncio.Protocol]], place: Place, scheme: str) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(begin(), place.host, place.port, backlog=1024)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}", flush=True)  # noqa: T201 - the caller reads it
    await stopped.wait()
    server.close()
