"""Server CPU that an image as JSON costs over its inference, side by side with the peers.

    python benchmarks/serve_image.py [--rounds 3] [--seconds 2]

A 3×224×224 image is 150,528 numbers, a megabyte of JSON; the model takes the mean of each channel. One worker process
on one core each, loaded in turns by `dyno load` from the other; the time of the model itself is subtracted.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from conditions import against_bars, heading, keep, median_of, spread, table, two_cores
from environments import peer_versions
from in_process import NAME as ALONE
from in_process import computed
from model_servers import fastapi, litserve, mlserver, modeldyno
from nets import image_net
from request_forms import oip_json
from server_tables import OURS, asked, server_conditions
from standing_servers import StandingServers, loaded
from turns import Turn, figures, missing_lines, stolen_lines, take_turns

TASK = "image"
USERS = 2
SERVERS = (
    modeldyno(form=oip_json),
    fastapi("/json"),
    fastapi("/json-async", name="FastAPI, async"),
    mlserver(),
    litserve(),
)
MOST_CPU_MS = 10.0


def run_rounds(rounds: int, seconds: float, directory: Path) -> tuple[list[dict[str, Any]], dict[str, str], int]:
    """Every server in turns; also the bytes of a request."""
    net = image_net(directory)
    server_core, client_core = two_cores()
    with StandingServers(directory, core=server_core) as servers:

        def load(index: int) -> dict[str, float]:
            return loaded(servers.stand(SERVERS[index], net), users=USERS, seconds=seconds, core=client_core)

        turns = [Turn(server.name, TASK, partial(load, index)) for index, server in enumerate(SERVERS)]
        turns.append(Turn(ALONE, TASK, partial(computed, net, seconds=0.5, cores=[server_core])))
        found, missing = take_turns(rounds, turns)
    return found, missing, len(oip_json(net).body)


def over_inference_ms(found: list[dict[str, Any]], name: str) -> list[float]:
    """CPU of a request without that of the model, round by round."""
    alone = {one["round"]: one["cpu_us"] for one in found if one["client"] == ALONE}
    return [(one["cpu_us"] - alone[one["round"]]) / 1e3 for one in found if one["client"] == name]


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table and the bar."""
    lines = heading(
        "A 3×224×224 image as JSON: server CPU over inference",
        where,
        f"{where['request_bytes']:,} bytes of JSON a request, {USERS} users in a closed loop; the model (the mean of "
        f"each channel) takes {spread(figures(found, ALONE, TASK, 'cpu_us'))} µs, which are subtracted.",
        "To ours and MLServer the Open Inference Protocol with flat data, to the others nested lists.",
    )
    ours = over_inference_ms(found, OURS)
    rows = []
    for server in SERVERS:
        own = over_inference_ms(found, server.name)
        if own:
            times = "1" if server.name == OURS else spread([a / b for a, b in zip(own, ours, strict=False)], 2)
            per_s = spread(figures(found, server.name, TASK, "per_s"), 1)
            rows.append([server.name, spread(own, 1), per_s, times])
    columns = ("server", "server CPU over inference, ms", "requests per second", "× ours")
    lines += table(columns, rows)
    bars = [("server CPU over inference, ms", median_of(ours), MOST_CPU_MS, "at most")]
    return [*lines, *against_bars(bars), *stolen_lines(found), *missing_lines(missing)]


def main() -> None:
    """Measure, print the table, and keep it."""
    options = asked(__doc__, rounds=3, seconds=2.0)
    before = server_conditions(options.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        found, missing, size = run_rounds(options.rounds, options.seconds, Path(scratch))
    where = {**before, "peers": peer_versions("fastapi", "uvicorn", "mlserver", "litserve"), "request_bytes": size}
    keep("serve_image", to_markdown(found, missing, where), {**where, "servers": found, "left_out": missing})


if __name__ == "__main__":
    main()
