"""What keys, the audit log and Server-Timing cost a server, in CPU per request.

    python benchmarks/serve_protection.py [--rounds 10] [--seconds 2]

Two servers of the same model, one with everything on, in turns, each on one core and loaded by wrk from the other: to a
client that reads Server-Timing the answers of the two are not alike. Metrics are always on. Without sockets, switch by
switch: `protection_cost.py`.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from conditions import against_bars, heading, keep, two_cores
from model_servers import ModelServer, modeldyno
from nets import digits_net
from request_forms import oip_binary
from server_tables import asked, load_table, server_conditions, times
from standing_servers import StandingServers
from turns import Turn, missing_lines, stolen_lines, take_turns
from wrk_load import loaded_by_wrk

from modeldyno.api.keys import create_key

USERS = (8, 32)
ON = "modeldyno, keys, audit and Server-Timing"
MOST_TIMES = 1.2


def run_rounds(rounds: int, seconds: int, directory: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Both servers in turns."""
    net = digits_net(directory)
    server_core, client_core = two_cores()
    bearer = directory / "bearer"
    secret = create_key(directory / "keys.db", "benchmark", allow=["*:infer,metadata,metrics"]).secret
    bearer.write_text(secret)
    form = oip_binary(net)
    options = ("--keys", str(directory / "keys.db"), "--audit", str(directory / "audit.jsonl"), "--server-timing")
    with (
        StandingServers(directory, core=server_core) as plain,
        StandingServers(directory, core=server_core, bearer=bearer) as protected,
    ):

        def load(servers: StandingServers, server: ModelServer, users: int) -> dict[str, float]:
            key = secret if servers is protected else ""
            return loaded_by_wrk(
                servers.stand(server, net), form, users=users, seconds=seconds, core=client_core, bearer=key
            )

        turns = [
            Turn(server.name, f"{users} users", partial(load, servers, server, users))
            for users in USERS
            for servers, server in ((plain, modeldyno()), (protected, modeldyno(ON, *options)))
        ]
        return take_turns(rounds, turns)


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table and the bars."""
    tasks = [f"{users} users" for users in USERS]
    lines = heading(
        "Keys, audit log and Server-Timing: server CPU per request",
        where,
        "Digits, one row, binary; the client is wrk.",
    )
    lines += load_table(found, tasks)
    bars = [
        (f"times the CPU a request without ({task})", times(found, ON, task), MOST_TIMES, "at most") for task in tasks
    ]
    return [*lines, *against_bars(bars), *stolen_lines(found), *missing_lines(missing)]


def main() -> None:
    """Measure, print the table, and keep it."""
    options = asked(__doc__, rounds=10, seconds=2)
    where = server_conditions(options.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        found, missing = run_rounds(options.rounds, round(options.seconds), Path(scratch))
    keep("serve_protection", to_markdown(found, missing, where), {**where, "servers": found, "left_out": missing})


if __name__ == "__main__":
    main()
