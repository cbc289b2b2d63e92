"""What a server adds to the time of one request when nobody else asks, and what its batching costs then.

    python benchmarks/serve_latency.py [--rounds 5] [--seconds 1.5]

One user in a closed loop of `dyno load`, digits, binary; the server on one core, the client on the other. From the
median answer the median of the same call in process is subtracted: what is left is two system calls and two wake-ups on
each side, and the server. Batching is on as it ships (work-conserving, no delay) and off, in turns.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from conditions import against_bars, heading, keep, median_of, spread, table, two_cores
from environments import peer_versions
from in_process import NAME as ALONE
from in_process import computed
from model_servers import ModelServer, fastapi, kserve, mlserver, modeldyno, mosec
from nets import digits_net
from server_tables import OURS, asked, server_conditions
from standing_servers import StandingServers, loaded
from turns import Turn, figures, missing_lines, ratios, stolen_lines, take_turns

TASK = "1 user"
UNBATCHED = "modeldyno, no batching"
SERVERS = (modeldyno(), modeldyno(UNBATCHED, max_rows=1), fastapi("/raw"), mosec(), mlserver(), kserve())
MOST_ADDED_US = 100.0
MOST_TIMES_UNBATCHED = 1.03
"""The median without batching, above which its cost would be measurable here."""


def run_rounds(rounds: int, seconds: float, directory: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every server in turns, and the model alone."""
    net = digits_net(directory)
    server_core, client_core = two_cores()
    with StandingServers(directory, core=server_core) as servers:

        def load(server: ModelServer) -> dict[str, float]:
            return loaded(servers.stand(server, net), users=1, seconds=seconds, core=client_core)

        turns = [Turn(ALONE, TASK, partial(computed, net, seconds=0.5, cores=[server_core]))]
        turns += [Turn(server.name, TASK, partial(load, server)) for server in SERVERS]
        return take_turns(rounds, turns)


def added_us(found: list[dict[str, Any]], name: str) -> list[float]:
    """The median answer without the median of the call in process, round by round."""
    alone = {one["round"]: one["median_us"] for one in found if one["client"] == ALONE}
    return [one["median_us"] - alone[one["round"]] for one in found if one["client"] == name]


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table and the bars."""
    rows = []
    for name in (ALONE, *(server.name for server in SERVERS)):
        keys = (("median_us", 0), ("per_s", 0), ("cpu_us", 0))
        cells = [spread(figures(found, name, TASK, key), digits) for key, digits in keys]
        if figures(found, name, TASK, "per_s"):
            rows.append([name, *cells, "-" if name == ALONE else spread(added_us(found, name))])
    lines = heading(
        "One user: what a server adds to the time of a request",
        where,
        "Digits, one row. To MLServer in JSON, to FastAPI and mosec the bytes alone, else binary tensors.",
    )
    columns = ("server", "median answer, µs", "requests per second", "server CPU a request, µs", "over in process, µs")
    lines += table(columns, rows)
    lines += against_bars(
        [
            ("median answer over in process, µs", median_of(added_us(found, OURS)), MOST_ADDED_US, "at most"),
            (
                "median answer with batching over the median without",
                median_of(ratios(found, OURS, UNBATCHED, TASK, "median_us")),
                MOST_TIMES_UNBATCHED,
                "at most",
            ),
        ]
    )
    return [*lines, *stolen_lines(found), *missing_lines(missing)]


def main() -> None:
    """Measure, print the table, and keep it."""
    options = asked(__doc__, rounds=5, seconds=1.5)
    before = server_conditions(options.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        found, missing = run_rounds(options.rounds, options.seconds, Path(scratch))
    where = {**before, "peers": peer_versions("fastapi", "uvicorn", "mosec", "mlserver", "kserve")}
    keep("serve_latency", to_markdown(found, missing, where), {**where, "servers": found, "left_out": missing})


if __name__ == "__main__":
    main()
