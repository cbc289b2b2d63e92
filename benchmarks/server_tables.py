"""What the comparisons of servers print alike."""

import argparse
from collections.abc import Sequence
from typing import Any

from conditions import conditions, median_of, spread, table
from turns import figures, ratios

OURS = "modeldyno"
INTERPRETED = "modeldyno, interpreted"


def asked(description: str | None, *, rounds: int, seconds: float | None = None) -> argparse.Namespace:
    """The options of a comparison: `rounds`, and `seconds` where there are loads."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    if seconds is not None:
        parser.add_argument("--seconds", type=float, default=seconds, help="of each load")
    return parser.parse_args()


def server_conditions(rounds: int) -> dict[str, Any]:
    """`conditions`, and what of ours serves."""
    ours = "the wheel of this tree, compiled by mypyc, in an environment of its own"
    return {**conditions(rounds), "ours": ours}


_COLUMNS = {
    "cpu_us": ("server CPU a request, µs", 1),
    "per_s": ("requests per second", 0),
    "cores": ("server CPU, cores", 2),
    "median_us": ("median answer, µs", 0),
}
"""Figures of a load, with what they are called and how many digits they are told to."""


def load_table(found: list[dict[str, Any]], tasks: Sequence[str], *, ours: str = OURS) -> list[str]:
    """A row for each task and server, with how many times the server's requests per CPU second ours has."""
    shown = [key for key in _COLUMNS if all(key in one for one in found)]
    rows = []
    for task in tasks:
        for name in dict.fromkeys(one["client"] for one in found if one["task"] == task):
            cells = [spread(figures(found, name, task, key), _COLUMNS[key][1]) for key in shown]
            times = "1" if name == ours else spread(ratios(found, ours, name, task, "per_cpu_s"), 2)
            rows.append([task, name, *cells, times])
    columns = ("load", "server", *(_COLUMNS[key][0] for key in shown), "ours has × the requests per CPU second")
    return table(columns, rows)


def times(found: list[dict[str, Any]], other: str, task: str, *, ours: str = OURS) -> float | None:
    """The median of ours over the other's requests per CPU second, round by round."""
    return median_of(ratios(found, ours, other, task, "per_cpu_s"))


def figure(found: list[dict[str, Any]], name: str, task: str, key: str) -> float | None:
    """The median over the rounds."""
    return median_of(figures(found, name, task, key))
