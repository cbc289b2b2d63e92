"""HTTP servers that do one known thing, in a process of their own.

    python -m modeldyno.testing.known_servers '{"service_ns": 2000000, "lanes": 2, "status_every": 100}'

They are what a load generator is tested against: what they did is known, so what is reported can be checked. They
offer one model of the Open Inference Protocol, with four numbers in and one out, which is always 0. Every POST is
counted when its last byte is there; `GET /count` gives the count, and `GET /truth` the whole account, one row a POST,
as a `.npy` file. The first line on stdout is the URL. They compute nothing: an answer is written when it is due, so
that one core serves many lanes.

    with known_server(Behaviour(service=ServiceTimes(shape="exponential", mean_ns=2_000_000), lanes=3)) as server:
        ...                      # offer it Poisson arrivals: an M/M/3 queue
        rows = server.truth()    # what it did, to hold against what was reported
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np

from modeldyno.clock import SystemClock
from modeldyno.errors import ExitCode, UsageError
from modeldyno.testing.behaviour import Behaviour
from modeldyno.testing.known_exchange import KnownExchange, KnownService
from modeldyno.testing.standing import Place, run_standing
from modeldyno.testing.started_process import fetch, started_process
from modeldyno.testing.truth import decode_truth

__all__ = ["Behaviour", "KnownServer", "known_server"]


@dataclass(frozen=True)
class KnownServer:
    """A server that runs."""

    url: str
    pid: int

    def count_posts(self) -> int:
        """POSTs it has read in full."""
        return int(fetch(self.url, "/count"))

    def truth(self) -> np.ndarray:
        """What it did: `modeldyno.testing.truth.TRUTH_DTYPE`, one row a POST, in the order in which they were read."""
        return decode_truth(fetch(self.url, "/truth"))


@contextmanager
def known_server(behaviour: Behaviour | None = None) -> Iterator[KnownServer]:
    """A server in a process of its own, on a free port, ended with the context."""
    text = msgspec.json.encode(behaviour or Behaviour()).decode()
    with started_process(__name__, [text]) as (url, pid):
        yield KnownServer(url, pid)


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; returns the exit code when it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m modeldyno.testing.known_servers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "behaviour", nargs="?", default="{}", help="fields of modeldyno.testing.behaviour.Behaviour, as JSON"
    )
    text = parser.parse_args(arguments).behaviour
    try:
        behaviour = msgspec.json.decode(text, type=Behaviour)
    except (msgspec.MsgspecError, UsageError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return ExitCode.USAGE
    place = Place(behaviour.host, behaviour.port)
    run_standing(lambda: partial(KnownExchange, KnownService(behaviour, SystemClock())), place)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
