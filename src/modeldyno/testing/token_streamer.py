"""An OpenAI-compatible server whose tokens come at known moments: it has no model, and computes nothing.

    python -m modeldyno.testing.token_streamer --port 8000 --first-token 20ms --gap 5ms --tokens 64

It answers POST /v1/chat/completions and /v1/completions, streamed or not, and /v1/embeddings; GET /v1/models. The
first token comes `--first-token` after the last byte of the request, the others `--gap` apart, each in a write of its
own; there are as many as the request's max_tokens (or max_completion_tokens) says. What a client reports of it can
therefore be checked: GET /truth gives the moment of every token as a `.npz` file (see modeldyno.testing.token_truth),
DELETE /truth forgets them. The first line on stdout is the URL; it ends on SIGTERM or SIGINT.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import msgspec

from modeldyno.clock import SystemClock
from modeldyno.errors import UsageError
from modeldyno.testing.standing import Place, run_standing
from modeldyno.testing.started_process import fetch, started_process
from modeldyno.testing.streaming import Streaming
from modeldyno.testing.token_exchange import TokenConnection, TokenService
from modeldyno.testing.token_truth import TokenTruth, decode_token_truth
from modeldyno.units import parse_duration_ns

__all__ = ["Streaming", "TokenStreamer", "token_streamer"]


@dataclass(frozen=True)
class TokenStreamer:
    """A streamer that runs."""

    url: str
    pid: int

    def truth(self) -> TokenTruth:
        """What it did so far."""
        return decode_token_truth(fetch(self.url, "/truth"))

    def forget(self) -> None:
        """Begin a new account."""
        fetch(self.url, "/truth", method="DELETE")


@contextmanager
def token_streamer(streaming: Streaming | None = None) -> Iterator[TokenStreamer]:
    """A streamer in a process of its own, on a free port, ended with the context."""
    chosen = msgspec.structs.asdict(streaming or Streaming())
    arguments = ["--role-first"] if chosen.pop("role_first") else []
    for name in ("first_token", "gap"):
        arguments += [f"--{name.replace('_', '-')}", f"{chosen.pop(name + '_ns')}ns"]
    for name, value in chosen.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    with started_process(__name__, arguments) as (url, pid):
        yield TokenStreamer(url, pid)


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; returns the exit code."""
    try:
        streaming = _streaming(arguments)
    except UsageError as problem:
        print(f"error: {problem.what}", file=sys.stderr)  # noqa: T201 - a command of its own
        return problem.exit_code
    place = Place(streaming.host, streaming.port)
    run_standing(lambda: partial(TokenConnection, TokenService(streaming, SystemClock())), place)
    return 0


def _streaming(arguments: Sequence[str]) -> Streaming:
    usual = Streaming()
    parser = argparse.ArgumentParser(
        prog="python -m modeldyno.testing.token_streamer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default=usual.host)
    parser.add_argument("--port", type=int, default=usual.port, help="0, the default, takes any free one")
    parser.add_argument("--model", default=usual.model, help="its name; default %(default)s")
    parser.add_argument("--first-token", default="20ms", metavar="TIME", help="default %(default)s")
    parser.add_argument(
        "--gap", default="5ms", metavar="TIME", help="default %(default)s; 0ms writes all tokens at once"
    )
    parser.add_argument("--tokens", type=int, default=usual.tokens, help="without max_tokens; default %(default)s")
    parser.add_argument(
        "--role-first", action="store_true", help="send head and role at once, not with the first token"
    )
    parser.add_argument("--dimensions", type=int, default=usual.dimensions, help="of embeddings; default %(default)s")
    for name, what in (
        ("cut", "close the connection half-way in every Nth stream"),
        ("unfinished", "end every Nth stream half-way, without its end mark"),
        ("hang", "write no more from half-way on in every Nth stream"),
    ):
        parser.add_argument(f"--{name}-every", type=int, default=0, metavar="N", help=what)
    options = vars(parser.parse_args(arguments))
    for name in ("first_token", "gap"):
        options[f"{name}_ns"] = parse_duration_ns(options.pop(name))
    return Streaming(**options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
