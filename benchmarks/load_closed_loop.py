"""Requests per second of client CPU of load generators in a closed loop, side by side.

    python benchmarks/load_closed_loop.py [--rounds 5]

All send the same digits-sized inference (64 FP32, binary) over 32 connections to the same server, in turns. The
server counts; the client's CPU time is that of all its processes, read from outside, over a window in the middle of
its run, so that nobody's start and nobody's own figures count. Server and client have a core each; perf_analyzer has
both, for on one it locks itself out. The peers get environments of their own under `.venvs/`.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from conditions import against_bars, conditions, heading, keep, median_of, spread, table, two_cores
from digits_clients import CLOSED_LOOP, OURS, Asked, write_request
from environments import peer_versions
from running import HERE, ClientError, count_at, running_client, running_server, wait_under_way
from turns import Turn, figures, missing_lines, ratios, stolen_lines, take_turns

USERS = 32
TASK = "closed loop"
SETTLE_S = 1.5
WINDOW_S = 4.0
LEAST_RATIOS = {"perf_analyzer": 3.0, "Locust FastHttpUser": 5.0, "k6": 3.0, "aiohttp": 3.0, "wrk": 0.4}
LEAST_PER_CPU_S = 40_000.0


def measure(name: str, port: str, cores: tuple[int, int]) -> dict[str, Any]:
    """One turn of one client.

    Raises:
        ClientError: it failed.
        NotInstallableError: it is not to be had here.
    """
    with tempfile.TemporaryDirectory() as directory:
        write_request(Path(directory))
        asked = Asked(port, Path(directory), seconds=SETTLE_S + WINDOW_S + (1.0 if name == OURS else 30.0), users=USERS)
        command = CLOSED_LOOP[name](asked)  # a peer is ended when the window is over
        count_before = count_at(port)
        with running_client(
            name, command.words, core=cores[1] if command.is_pinned else None, environment=command.environment
        ) as client:
            wait_under_way(lambda: count_at(port), client, least=500)
            time.sleep(SETTLE_S)
            first_cpu_s, first_s, first = client.cpu_s(), time.monotonic(), count_at(port)
            time.sleep(WINDOW_S)
            cpu_s, last_s, last = client.cpu_s(), time.monotonic(), count_at(port)
            client.check_running()
            if name == OURS:
                client.wait_done(60)
                check_recorded(Path(directory) / "run", count_at(port) - count_before, client.last_words())
    per_s = (last - first) / (last_s - first_s)
    used = (cpu_s - first_cpu_s) / (last_s - first_s)
    return {"per_s": per_s, "cpu_cores": used, "per_cpu_s": per_s / used}


def check_recorded(run: Path, answered: int, said: str) -> None:
    """Our run holds every request that the server answered, each with all its stamps.

    Raises:
        ClientError: it does not.
    """
    columns = ["sent_ns", "first_byte_ns", "done_ns"]
    if not (run / "requests.parquet").exists():
        raise ClientError(f"{OURS} kept no requests: {said}")
    rows = pq.read_table(run / "requests.parquet", columns=columns)
    stamped = min(int((rows.column(name).to_numpy() >= 0).sum()) for name in columns)
    if not answered - USERS <= stamped <= answered:
        raise ClientError(f"{OURS} stamped {stamped} requests, the server answered {answered}")


def run_rounds(rounds: int, clients: list[str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every client once a round; also what is missing, and why."""
    cores = two_cores()
    with running_server(str(HERE / "counting_server.py"), core=cores[0]) as port:
        return take_turns(rounds, [Turn(name, TASK, partial(measure, name, port, cores)) for name in clients])


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table, the bars and who is missing."""
    rows = []
    for name in CLOSED_LOOP:
        keys = (("per_cpu_s", 0), ("per_s", 0), ("cpu_cores", 2))
        if figures(found, name, TASK, "per_s"):
            cells = [spread(figures(found, name, TASK, key), digits) for key, digits in keys]
            rows.append([name, *cells, "1" if name == OURS else spread(times(found, name), 2)])
    lines = heading(
        f"A closed loop of {USERS} users: requests per second of client CPU",
        where,
        "One digits-sized inference (64 FP32, Open Inference Protocol, binary). Counted by the server; CPU time of all "
        f"processes of a client over {WINDOW_S:g} s in the middle of its run.",
        "Ours is the whole of `dyno load`: every stamp of every request kept, the server's processes watched.",
    )
    columns = ("client", "requests per client CPU second", "requests per second", "client CPU, cores", "ours is × this")
    lines += table(columns, rows)
    ours = median_of(figures(found, OURS, TASK, "per_cpu_s"))
    lines += against_bars(
        [
            ("requests per second of client CPU", ours, LEAST_PER_CPU_S, "at least"),
            *((f"times {name}", median_of(times(found, name)), bar, "at least") for name, bar in LEAST_RATIOS.items()),
        ]
    )
    return [*lines, *stolen_lines(found), *missing_lines(missing)]


def times(found: list[dict[str, Any]], name: str) -> list[float]:
    """Ours over the client's, per second of client CPU, round by round."""
    return ratios(found, OURS, name, TASK, "per_cpu_s")


def main() -> None:
    """Measure, print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", default=",".join(CLOSED_LOOP), help="those to measure; all, unless told otherwise")
    options = parser.parse_args()
    before = conditions(options.rounds)
    found, missing = run_rounds(options.rounds, options.clients.split(","))
    where = {**before, "peers": peer_versions("tritonclient", "locust", "k6", "aiohttp")}
    keep(
        "load_closed_loop",
        to_markdown(found, missing, where),
        {**where, "clients": found, "left_out": missing},
    )


if __name__ == "__main__":
    main()
