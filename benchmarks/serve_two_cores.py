"""What servers make of two cores with models of ten milliseconds: the share of what two processes reach in process.

    python benchmarks/serve_two_cores.py [--rounds 3] [--seconds 2.5]

A convolution network on an image and a text encoder, one row a request, 8 users in a closed loop of `dyno load`, which
shares the two cores with the server. The yardstick is two processes that do nothing but compute, in the same round.
What they would reach if each row came over TCP and nobody did anything else says how much of the rest is the server's.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from conditions import against_bars, heading, keep, median_of, spread, table, two_cores
from environments import peer_versions
from in_process import computed
from model_servers import ModelServer, fastapi, mlserver, modeldyno, mosec
from nets import Net, convolution_net, encoder_net
from request_forms import oip_binary
from server_tables import asked, server_conditions
from standing_servers import StandingServers, loaded
from transfer import NAME as TRANSFER
from transfer import transfer_cpu_us, with_transfer
from turns import Turn, figures, missing_lines, ratios, stolen_lines, take_turns

USERS = 8
CEILING = "two processes, no server"
WORKERS, INSTANCES = "modeldyno, 2 workers", "modeldyno, 2 instances"
SERVERS = (
    modeldyno(WORKERS, "--workers", "2", max_rows=1),
    modeldyno(INSTANCES, max_rows=1, instances=2),
    fastapi("/raw", workers=2),
    mosec(workers=2),
    mlserver(workers=2),
)
LEAST_SHARE = 0.97


def run_rounds(rounds: int, seconds: float, directory: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every server on both models, in turns."""
    nets = (convolution_net(directory), encoder_net(directory))
    with StandingServers(directory, core=None) as servers:

        def load(server: ModelServer, net: Net) -> dict[str, float]:
            return loaded(servers.stand(server, net), users=USERS, seconds=seconds, core=None)

        alone: dict[str, dict[str, float]] = {}

        def compute(net: Net) -> dict[str, float]:
            alone[net.name] = computed(net, seconds=seconds, cores=list(two_cores()))
            return alone[net.name]

        def transfer(net: Net) -> dict[str, float]:
            return with_transfer(alone[net.name], transfer_cpu_us(len(oip_binary(net).body), seconds=0.5))

        turns = []
        for net in nets:
            turns.append(Turn(CEILING, net.name, partial(compute, net)))
            turns.append(Turn(TRANSFER, net.name, partial(transfer, net)))
            turns += [Turn(server.name, net.name, partial(load, server, net)) for server in SERVERS]
        return take_turns(rounds, turns)


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table and the bars."""
    rows: list[list[str]] = []
    bars: list[tuple[str, float | None, float, str]] = []
    for task in ("convolution", "encoder"):
        for name in (CEILING, TRANSFER, *(server.name for server in SERVERS)):
            if not figures(found, name, task, "per_s"):
                continue
            keys = (("per_s", 1), ("cpu_us", 0), ("cores", 2), ("median_us", 0))
            cells = [spread(figures(found, name, task, key), digits) for key, digits in keys]
            more_cpu = spread(ratios(found, name, CEILING, task, "cpu_us"), 2)
            rows.append([task, name, *cells, more_cpu, spread(shares(found, name, task), 3)])
        bars += [
            (f"share of two processes, {task}, {name}", median_of(shares(found, name, task)), LEAST_SHARE, "at least")
            for name in (WORKERS, INSTANCES)
        ]
    lines = heading(
        f"Two cores, {USERS} users: the share of what two processes reach in process",
        where,
        "One row a request: an image of 602,112 bytes for the convolution network, 64 tokens for the encoder. Ours "
        "takes binary tensors, FastAPI and mosec the bytes alone, MLServer JSON.",
        "The client, `dyno load`, shares the two cores; the yardstick has them to itself. With TCP is reckoned: the "
        "yardstick with the CPU that two processes need to move a request and a short answer between them.",
    )
    columns = (
        "model", "server", "requests per second", "server CPU a request, µs", "server CPU, cores", "median answer, µs",
        "× CPU of two processes", "share of two processes",
    )  # fmt: skip
    return [*lines, *table(columns, rows), *against_bars(bars), *stolen_lines(found), *missing_lines(missing)]


def shares(found: list[dict[str, Any]], name: str, task: str) -> list[float]:
    """The server's rate over that of two processes, round by round."""
    return ratios(found, name, CEILING, task, "per_s")


def main() -> None:
    """Measure, print the table, and keep it."""
    options = asked(__doc__, rounds=3, seconds=2.5)
    before = server_conditions(options.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        found, missing = run_rounds(options.rounds, options.seconds, Path(scratch))
    where = {**before, "peers": peer_versions("fastapi", "uvicorn", "mosec", "mlserver")}
    keep("serve_two_cores", to_markdown(found, missing, where), {**where, "servers": found, "left_out": missing})


if __name__ == "__main__":
    main()
