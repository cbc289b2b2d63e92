"""How exactly load generators keep a constant rate, side by side, witnessed by an independent server.

    python benchmarks/load_precision.py [--rounds 3] [--clients modeldyno,k6]

Each client in turn is asked for 1,000 requests per second for 20 s and for 10,000 for 5 s. `arrival_sink.py` stamps
every arrival. The error of request i is its arrival less i / rate, less the median of that (the constant way from
client to server): nothing of what a client says about itself is used. The first 2 s of a run are skipped. Server and
client have a core each; perf_analyzer has both, for on one it locks itself out. `modeldyno --awake` does not sleep
between sends. The peers get environments of their own under `.venvs/`.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from arrival_sink import NO_STAMP
from conditions import against_bars, conditions, heading, keep, median_of, spread, table, two_cores
from digits_clients import OPEN_LOOP, OURS, OURS_AWAKE, Asked, write_request
from environments import peer_versions
from running import HERE, ClientError, count_at, running_client, running_server, wait_under_way
from turns import Turn, figures, missing_lines, stolen_lines, take_turns

SKIPPED_S = 2.0
ON_TIME_NS = 1_000_000
LEFT_OUT = {"wrk2": "its source is on GitHub only (no package of Debian, PyPI or npm), which is not reachable here"}
PRIORITIES = {
    False: "Server and clients at normal priority: other work on the machine counts.",
    True: "Server and clients at real-time priority (SCHED_FIFO): other work on the same cores does not count.",
}


class Rate(NamedTuple):
    """One row of the comparison."""

    per_s: int
    seconds: float

    @property
    def task(self) -> str:
        """Its name."""
        return f"{self.per_s:,}/s"


RATES = (Rate(1_000, 20.0), Rate(10_000, 5.0))


def measure(name: str, rate: Rate, cores: tuple[int, int], *, is_real_time: bool) -> dict[str, Any]:
    """One turn of one client at one rate.

    Raises:
        ClientError: it failed.
        NotInstallableError: it is not to be had here.
    """
    with tempfile.TemporaryDirectory() as directory:
        write_request(Path(directory))
        stamps = Path(directory) / "stamps"
        sink = (str(HERE / "arrival_sink.py"), str(stamps))
        with running_server(*sink, core=cores[0], is_real_time=is_real_time) as port:
            asked = Asked(port, Path(directory), seconds=SKIPPED_S + rate.seconds + 5.0, rate_per_s=rate.per_s)
            command = OPEN_LOOP[name](asked)
            core = cores[1] if command.is_pinned else None
            with running_client(
                name, command.words, core=core, environment=command.environment, is_real_time=is_real_time
            ) as client:
                wait_under_way(lambda: count_at(port), client, least=1)
                time.sleep(SKIPPED_S)
                first_cpu_s, first_s = client.cpu_s(), time.monotonic()
                time.sleep(rate.seconds - 0.5)
                cpu_s, last_s = client.cpu_s(), time.monotonic()
                time.sleep(0.5)
                client.check_running()
        arrived = np.fromfile(stamps, np.int64).reshape(-1, 2)
    measured = judge(arrived, rate)
    return {
        "client": name,
        "rate_per_s": rate.per_s,
        "cpu_cores": (cpu_s - first_cpu_s) / (last_s - first_s),
        **measured,
    }


def judge(stamps: np.ndarray, rate: Rate) -> dict[str, float]:
    """Errors of the arrivals, by the kernel's stamps and by those of the sink's process.

    Raises:
        ClientError: nothing came after the beginning, or the kernel did not stamp all of it.
    """
    found: dict[str, float] = {}
    stamps = stamps[np.argmax(stamps[:, 0] != NO_STAMP) :]
    if (stamps[:, 0] == NO_STAMP).any():
        raise ClientError(f"the kernel stamped only some of {len(stamps)} arrivals")
    for column, who in enumerate(("kernel", "process")):
        moments = np.sort(stamps[:, column])
        start = moments[0] + SKIPPED_S * 1e9
        window = moments[(moments >= start) & (moments < start + rate.seconds * 1e9)]
        if len(window) < 2:
            raise ClientError(f"{len(moments)} requests came, and {len(window)} of them after the first 2 s")
        error_ns = window - window[0] - np.arange(len(window)) * (1e9 / rate.per_s)
        error_ns = np.abs(error_ns - np.median(error_ns))
        planned = rate.per_s * rate.seconds
        found |= {
            f"{who}_p50_us": float(np.median(error_ns)) / 1e3,
            f"{who}_p99_us": float(np.quantile(error_ns, 0.99)) / 1e3,
            f"{who}_max_us": float(error_ns.max()) / 1e3,
            f"{who}_on_time_percent": 100 * float((error_ns <= ON_TIME_NS).sum()) / max(planned, len(window)),
            "delivered_per_s": len(window) / rate.seconds,
        }
    return found


def run_rounds(
    rounds: int, clients: Sequence[str], *, is_real_time: bool
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every client at every rate once a round; also what is missing, and why."""
    cores = two_cores()
    turns = [
        Turn(name, rate.task, partial(measure, name, rate, cores, is_real_time=is_real_time))
        for rate in RATES
        for name in clients
    ]
    found, missing = take_turns(rounds, turns)
    for one in found:
        one["stolen_percent"] = 0.0 if one["stolen"] is None else 100 * one["stolen"]
    return found, {**LEFT_OUT, **missing}


def to_markdown(found: Sequence[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """A table for each rate, the bars, and who is missing."""
    lines = heading(
        "Precision of a constant rate",
        where,
        "Error of a request: its arrival at an independent server less i / rate, less the median of that. By the "
        "kernel's stamps of arrival; those of the server's process beside them hold its own delay in waking up.",
        where["priority"],
        "CPU time is that of all processes of a client; ours is the whole of `dyno load`.",
    )
    columns = (
        "client", "median error, µs", "p99 error, µs", "p99 error, µs (process)", "within 1 ms, %", "delivered /s",
        "client CPU, cores", "steal, %",
    )  # fmt: skip
    keys = (
        ("kernel_p50_us", 1), ("kernel_p99_us", 0), ("process_p99_us", 0), ("kernel_on_time_percent", 2),
        ("delivered_per_s", 0), ("cpu_cores", 2), ("stolen_percent", 1),
    )  # fmt: skip
    for rate in RATES:
        rows = [
            [name, *(spread(figures(found, name, rate.task, key), digits) for key, digits in keys)]
            for name in OPEN_LOOP
            if figures(found, name, rate.task, "kernel_p50_us")
        ]
        lines += [f"## {rate.per_s:,} requests per second for {rate.seconds:g} s", "", *table(columns, rows)]
    slow, fast = RATES
    lines += against_bars(
        [
            ("median error at 1,000/s, µs", median(found, slow, "kernel_p50_us"), 30.0, "at most"),
            ("p99 error at 1,000/s, µs", median(found, slow, "kernel_p99_us"), 150.0, "at most"),
            ("client CPU at 1,000/s, cores", median(found, slow, "cpu_cores"), 1 / 3, "at most"),
            ("median error at 1,000/s awake, µs", median(found, slow, "kernel_p50_us", OURS_AWAKE), 30.0, "at most"),
            ("p99 error at 1,000/s awake, µs", median(found, slow, "kernel_p99_us", OURS_AWAKE), 150.0, "at most"),
            ("within 1 ms at 10,000/s, %", median(found, fast, "kernel_on_time_percent"), 99.9, "at least"),
            (
                "within 1 ms at 10,000/s awake, %",
                median(found, fast, "kernel_on_time_percent", OURS_AWAKE),
                99.9,
                "at least",
            ),
            ("client CPU at 10,000/s, cores", median(found, fast, "cpu_cores"), 1.0, "at most"),
        ]
    )
    return [*lines, *stolen_lines(found), *missing_lines(missing)]


def median(found: Sequence[dict[str, Any]], rate: Rate, key: str, client: str = OURS) -> float | None:
    """Ours over the rounds."""
    return median_of(figures(found, client, rate.task, key))


def main() -> None:
    """Measure, print the tables, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default=",".join(OPEN_LOOP), help="those to measure; all, unless told otherwise")
    parser.add_argument("--real-time", action="store_true", help="for a machine with other work to do; needs root")
    options = parser.parse_args()
    before = {**conditions(options.rounds), "priority": PRIORITIES[options.real_time]}
    found, missing = run_rounds(options.rounds, options.clients.split(","), is_real_time=options.real_time)
    where = {**before, "peers": peer_versions("tritonclient", "locust", "k6")}
    keep("load_precision", to_markdown(found, missing, where), {**where, "turns": found, "left_out": missing})


if __name__ == "__main__":
    main()
