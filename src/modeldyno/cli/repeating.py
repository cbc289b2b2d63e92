"""How much of the traffic repeats itself: the arguments that `load` and `tune` share."""

import argparse

from modeldyno.cli.typed import typed
from modeldyno.errors import UsageError
from modeldyno.records.workload import Repeats
from modeldyno.units import parse_fraction

_DEFAULT = Repeats(share=0.0)


def add_repeats(parser: argparse._ActionsContainer, *, default: str) -> None:
    """Declare them; `default` says in words what holds without."""
    parser.add_argument(
        "--repeats",
        type=typed(parse_fraction),
        metavar="SHARE",
        help=f"share of the requests that ask what was asked before: 30%%; all others ask something new ({default})",
    )
    parser.add_argument(
        "--repeat-pool",
        type=int,
        metavar="N",
        help=f"what is asked again is one of the first N questions ({_DEFAULT.pool:,})",
    )
    parser.add_argument(
        "--repeat-exponent",
        type=float,
        metavar="X",
        help=f"popularity of the k-th of them: 1/k^X; 0 makes all alike ({_DEFAULT.exponent:g}, Zipf's law)",
    )


def repeats_of(arguments: argparse.Namespace) -> Repeats | None:
    """What `add_repeats` declared; None without `--repeats`.

    Raises:
        UsageError: one of the others without it.
    """
    for option, value in (("--repeat-pool", arguments.repeat_pool), ("--repeat-exponent", arguments.repeat_exponent)):
        if value is not None and arguments.repeats is None:
            raise UsageError(f"{option} means nothing without --repeats", hint="for example --repeats 30%")
    if arguments.repeats is None:
        return None
    return Repeats(
        share=arguments.repeats,
        pool=_DEFAULT.pool if arguments.repeat_pool is None else arguments.repeat_pool,
        exponent=_DEFAULT.exponent if arguments.repeat_exponent is None else arguments.repeat_exponent,
    )
