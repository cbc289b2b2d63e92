"""How a load is sent: the arguments that `load`, `capacity` and `compare` share."""

import argparse
from typing import Any

from modeldyno.cli.typed import typed
from modeldyno.records.workload import parse_row_mix
from modeldyno.seeds import DEFAULT_SEED
from modeldyno.units import parse_duration_ns


def add_sending(parser: argparse.ArgumentParser, *, warmup: str, before: str) -> None:
    """Declare them.

    Args:
        parser: of the verb.
        warmup: the default, such as `1s`.
        before: what the warm-up comes before, in words.
    """
    duration = typed(parse_duration_ns)
    sending = parser.add_argument_group("sending")
    sending.add_argument(
        "--warmup", type=duration, default=warmup, metavar="TIME", help=f"load before {before} ({warmup})"
    )
    sending.add_argument("--timeout", type=duration, default="5s", metavar="TIME", help="a longer request fails (5s)")
    sending.add_argument(
        "--rows",
        type=typed(parse_row_mix),
        default="1",
        metavar="MIX",
        help="rows in each request: 8, or a mix: 1,1,8 or 1:0.9,32:0.1 (1)",
    )
    sending.add_argument("--connections", type=int, default=8, metavar="N", help="opened before the run (8)")
    sending.add_argument(
        "--max-connections", type=int, default=256, metavar="N", help="open no more when all are busy (256)"
    )
    sending.add_argument(
        "--workers", type=int, default=0, metavar="N", help="sending processes (as many as the rate needs)"
    )
    sending.add_argument(
        "--awake",
        action="store_true",
        help="do not sleep between sends: more exact on a virtual machine; takes a whole core for each sending process",
    )
    sending.add_argument(
        "--seed",
        type=int,
        default=DEFAULT_SEED,
        metavar="N",
        help="of the arrivals; the same seed, the same moments",
    )


def add_pid(parser: argparse.ArgumentParser) -> None:
    """Which processes are the server's."""
    parser.add_argument(
        "--pid", type=int, action="append", default=[], help="server process here (default: who listens on the port)"
    )


def sending_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `add_sending` declared, as fields of `Shape`."""
    return {
        "warmup_ns": arguments.warmup,
        "timeout_ns": arguments.timeout,
        "row_mix": arguments.rows,
        "connections": arguments.connections,
        "max_connections": arguments.max_connections,
        "workers": arguments.workers,
        "awake": arguments.awake,
        "seed": arguments.seed,
    }
