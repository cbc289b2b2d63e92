"""What keys, the audit log and Server-Timing cost a server, in CPU per request.

    python benchmarks/serve_protection.py [--rounds 5] [--seconds 1.5]

Two servers of the same model, one with everything on, in turns, each on one core and loaded by `dyno load` from the
other. Metrics are always on. Without sockets, switch by switch: `protection_cost.py`.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from conditions import against_bars, heading, keep, two_cores
from model_servers import ModelServer, modeldyno
from nets import digits_net
from server_tables import asked, load_table, server_conditions, times
from standing_servers import StandingServers, loaded
from turns import Turn, missing_lines, stolen_lines, take_turns

from modeldyno.api.keys import create_key

USERS = (8, 32)
ON = "modeldyno, keys, audit and Server-Timing"
MOST_TIMES = 1.2


def run_rounds(rounds: int, seconds: float, directory: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Both servers in turns."""
    net = digits_net(directory)
    server_core, client_core = two_cores()
    bearer = directory / "bearer"
    bearer.write_text(create_key(directory / "keys.db", "benchmark", allow=["*:infer,metadata,metrics"]).secret)
    options = ("--keys", str(directory / "keys.db"), "--audit", str(directory / "audit.jsonl"), "--server-timing")
    with (
        StandingServers(directory, core=server_core) as plain,
        StandingServers(directory, core=server_core, bearer=bearer) as protected,
    ):

        def load(servers: StandingServers, server: ModelServer, users: int) -> dict[str, float]:
            return loaded(servers.stand(server, net), users=users, seconds=seconds, core=client_core)

        turns = [
            Turn(server.name, f"{users} users", partial(load, servers, server, users))
            for users in USERS
            for servers, server in ((plain, modeldyno()), (protected, modeldyno(ON, *options)))
        ]
        return take_turns(rounds, turns)


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table and the bars."""
    tasks = [f"{users} users" for users in USERS]
    lines = heading("Keys, audit log and Server-Timing: server CPU per request", where, "Digits, one row, binary.")
    lines += load_table(found, tasks)
    bars = [
        (f"times the CPU a request without ({task})", times(found, ON, task), MOST_TIMES, "at most") for task in tasks
    ]
    return [*lines, *against_bars(bars), *stolen_lines(found), *missing_lines(missing)]


def main() -> None:
    """Measure, print the table, and keep it."""
    options = asked(__doc__, rounds=5, seconds=1.5)
    where = server_conditions(options.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        found, missing = run_rounds(options.rounds, options.seconds, Path(scratch))
    keep("serve_protection", to_markdown(found, missing, where), {**where, "servers": found, "left_out": missing})


if __name__ == "__main__":
    main()
