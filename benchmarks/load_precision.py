"""How exactly the load generator keeps its schedule, and what a request costs it, witnessed from outside.

    python benchmarks/load_precision.py [--rounds 3]

Open loop: an independent server (`arrival_sink.py`) stamps every arrival; the error of a request is its arrival less
its planned moment, less the median of that over the run, which is the constant way from client to server. Closed
loop: requests per second of client CPU at 32 users against the null server, beside `wrk` (Debian: apt-get install
wrk) and an aiohttp client (its own environment under `.venvs/`), in turns. The server is pinned to one core and the
client to another. A peer that is not installed is left out, and the result says so; this installs aiohttp:

    python -m venv benchmarks/.venvs/aiohttp
    benchmarks/.venvs/aiohttp/bin/pip install -r benchmarks/peers/aiohttp.txt
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from modeldyno.clock import SystemClock
from modeldyno.loadgen.driver import LoadResult, PreparedRequest, run_load
from modeldyno.protocols import Silent
from modeldyno.records.requests import Outcome
from modeldyno.records.workload import Workload
from modeldyno.testing.null_server import SIGNATURE
from modeldyno.wire.v2_client import encode_infer_request

HERE = Path(__file__).parent
USERS = 32
OPEN_LOOPS = ((1_000, 20.0), (10_000, 5.0))
"""Rate and seconds."""
WARMUP_S = 2.0
CLOSED_S = 4.0
PRIORITIES = {
    False: "All at normal priority: other work on the machine counts.",
    True: "Client and server of the open loops at real-time priority, for other work ran on the same cores.",
}
ON_TIME_NS = 1_000_000
WRK_SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/octet-stream"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
"""


def prepared_request() -> PreparedRequest:
    """One row for the null server's model."""
    encoded = encode_infer_request({"input": np.zeros((1, 64), np.float32)}, SIGNATURE)
    headers = (
        ("Content-Type", "application/octet-stream"),
        ("Inference-Header-Content-Length", str(encoded.header_length)),
    )
    return PreparedRequest(encoded.body, headers, 1)


@contextmanager
def pinned_server(command: list[str], core: int) -> Iterator[str]:
    """A server on a core of its own; gives the first line it prints, ends it with SIGTERM."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            os.sched_setaffinity(process.pid, {core})
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def offer(url: str, **changes: Any) -> LoadResult:
    """One load in a directory that is thrown away."""
    asked: dict[str, Any] = {"rate_per_s": 0.0, "requests": 0, "warmup_requests": 0, **changes}
    workload = Workload(url=url, model="null", seed=1, **asked)
    with tempfile.TemporaryDirectory() as directory:
        return run_load(
            workload,
            [prepared_request()],
            path="/v2/models/null/infer",
            run_directory=Path(directory) / "run",
            clock=SystemClock(),
            progress=Silent(),
        )


def open_loop(rate: int, seconds: float, core: int) -> dict[str, Any]:
    """A constant rate, judged by the stamps of the witness."""
    with tempfile.TemporaryDirectory() as directory:
        stamps_path = Path(directory) / "stamps"
        with pinned_server([str(HERE / "arrival_sink.py"), str(stamps_path)], core) as port:
            result = offer(
                f"http://127.0.0.1:{port}",
                arrivals="constant",
                rate_per_s=rate,
                requests=round(rate * seconds),
                warmup_requests=round(rate * WARMUP_S),
            )
        arrived = np.frombuffer(stamps_path.read_bytes(), np.int64)
    rows = result.requests
    if len(arrived) != len(rows):
        raise RuntimeError(f"the witness saw {len(arrived)} requests of {len(rows)} planned")
    # Arrivals in order against plans in order: requests that overtake one another are matched as if they had not,
    # which changes neither median nor tail by more than the time between two of them.
    error_ns = (arrived - result.start_ns - rows["planned_ns"])[rows["measured"]].astype(np.float64)
    error_ns = np.abs(error_ns - np.median(error_ns))
    sent = rows[rows["measured"]]
    return {
        "rate_per_s": rate,
        "answered": int((sent["outcome"] == Outcome.OK).sum()),
        "planned": len(sent),
        "error_p50_us": float(np.median(error_ns)) / 1e3,
        "error_p99_us": float(np.quantile(error_ns, 0.99)) / 1e3,
        "error_max_us": float(error_ns.max()) / 1e3,
        "share_within_1ms": float((error_ns <= ON_TIME_NS).mean()),
        "late_p50_us": float(np.median(sent["sent_ns"] - sent["planned_ns"])) / 1e3,
        "client_cpu_fraction": result.effective.client_cpu_fraction,
    }


def closed_loop_ours(url: str) -> dict[str, Any]:
    """Modeldyno's closed loop with every stamp recorded."""
    result = offer(
        url, arrivals="closed", concurrency=USERS, warmup_ns=10**9, duration_ns=round(CLOSED_S * 1e9), connections=USERS
    )
    rows = result.requests[result.requests["measured"]]
    seconds = float(rows["done_ns"].max() - rows["sent_ns"].min()) / 1e9
    rate = len(rows) / seconds
    return {"client": "modeldyno", "rate_per_s": rate, "per_cpu_s": rate / result.effective.client_cpu_fraction}


def closed_loop_peer(name: str, command: list[str], count: Any) -> dict[str, Any]:
    """A peer's closed loop; its CPU time is that of the whole process, whose start is little against the run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answers = count(output)
    return {"client": name, "rate_per_s": answers / CLOSED_S, "per_cpu_s": answers / cpu_s}


def wrk_answers(output: str) -> int:
    """`  412345 requests in 4.00s, 50.1MB read`; any answer but 200 is an error of the comparison."""
    if "Non-2xx" in output:
        raise RuntimeError(output)
    return next(int(line.split()[0]) for line in output.splitlines() if " requests in " in line)


def peers(url: str, directory: Path) -> tuple[list[tuple[str, list[str], Any]], list[str]]:
    """The peers that are installed, and the names of those that are not."""
    body = directory / "body"
    body.write_bytes(prepared_request().body)
    script = directory / "post.lua"
    script.write_text(WRK_SCRIPT.format(body=body))
    target = f"{url}/v2/models/null/infer"
    python = HERE / ".venvs" / "aiohttp" / "bin" / "python"
    found: list[tuple[str, list[str], Any]] = []
    missing = ["perf_analyzer", "locust", "k6"]
    if shutil.which("wrk"):
        length = f"-d{CLOSED_S:g}s"
        found.append(("wrk", ["wrk", "-t1", f"-c{USERS}", length, "-s", str(script), target], wrk_answers))
    else:
        missing.append("wrk")
    if python.exists():
        command = [str(python), str(HERE / "peers" / "aiohttp_client.py"), target, str(body), str(USERS), f"{CLOSED_S}"]
        found.append(("aiohttp", command, int))
    else:
        missing.append("aiohttp")
    return found, missing


@contextmanager
def real_time_priority(*, wanted: bool) -> Iterator[None]:
    """Processes started meanwhile go before all others of the machine (SCHED_FIFO)."""
    if wanted:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
    try:
        yield
    finally:
        if wanted:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def measure(rounds: int, cores: tuple[int, int], *, real_time: bool) -> dict[str, Any]:
    """Every open loop and every client once a round."""
    open_loops, closed_loops = [], []
    missing: list[str] = []
    for number in range(rounds):
        with real_time_priority(wanted=real_time):
            open_loops += [open_loop(rate, seconds, cores[0]) for rate, seconds in OPEN_LOOPS]
        with (
            tempfile.TemporaryDirectory() as directory,
            pinned_server(["-m", "modeldyno.testing.null_server"], cores[0]) as url,
        ):
            found, missing = peers(url, Path(directory))
            closed_loops.append(closed_loop_ours(url))
            closed_loops += [closed_loop_peer(*peer) for peer in found]
        print(f"round {number + 1} of {rounds}", flush=True)
    return {"open_loops": open_loops, "closed_loops": closed_loops, "not_installed": missing}


def spread(values: list[float], digits: int = 0) -> str:
    """`median [least, most]` over the rounds."""
    return f"{statistics.median(values):,.{digits}f} [{min(values):,.{digits}f}, {max(values):,.{digits}f}]"


def to_markdown(found: dict[str, Any], where: dict[str, Any]) -> str:
    """Both tables with their conditions."""
    lines = [
        "# Precision and cost of the load generator",
        "",
        f"{where['date']}, {where['cpu']}, {where['cores']} cores, Python {where['python']}.",
        f"Median [least, most] of {where['rounds']} rounds; server and client on a core each.",
        f"Load average of the machine {where['load_average']:.1f} at the start. {where['priority']}",
        "",
        "## Open loop, constant rate: error of the arrival at an independent server",
        "",
        "| rate | median error, µs | p99 error, µs | within 1 ms, % | sent late by (median), µs | client CPU, % |",
        "|---|---|---|---|---|---|",
    ]
    for rate, seconds in OPEN_LOOPS:
        rows = [row for row in found["open_loops"] if row["rate_per_s"] == rate]
        cells = [
            spread([row["error_p50_us"] for row in rows], 1),
            spread([row["error_p99_us"] for row in rows]),
            spread([100 * row["share_within_1ms"] for row in rows], 2),
            spread([row["late_p50_us"] for row in rows], 1),
            spread([100 * row["client_cpu_fraction"] for row in rows], 1),
        ]
        lines.append(f"| {rate:,}/s for {seconds:g} s | {' | '.join(cells)} |")
    lines += [
        "",
        f"## Closed loop, {USERS} users, against the null server",
        "",
        "| client | requests per second of client CPU | requests per second |",
        "|---|---|---|",
    ]
    for name in dict.fromkeys(row["client"] for row in found["closed_loops"]):
        rows = [row for row in found["closed_loops"] if row["client"] == name]
        per_cpu, rates = [row["per_cpu_s"] for row in rows], [row["rate_per_s"] for row in rows]
        lines.append(f"| {name} | {spread(per_cpu)} | {spread(rates)} |")
    lines += ["", "## Against the bars", "", *bars(found)]
    ours = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    missing = f"Not installed, so not compared: {', '.join(found['not_installed'])}."
    return "\n".join([*lines, "", f"{missing} Here: {ours}.", ""])


def bars(found: dict[str, Any]) -> list[str]:
    """Each bar with the median of the rounds, met or missed."""
    slow = [row for row in found["open_loops"] if row["rate_per_s"] == OPEN_LOOPS[0][0]]
    fast = [row for row in found["open_loops"] if row["rate_per_s"] == OPEN_LOOPS[1][0]]
    per_cpu = {
        name: statistics.median(row["per_cpu_s"] for row in found["closed_loops"] if row["client"] == name)
        for name in {row["client"] for row in found["closed_loops"]}
    }
    measured = [
        ("median error at 1,000/s, µs", statistics.median(row["error_p50_us"] for row in slow), -30.0),
        ("p99 error at 1,000/s, µs", statistics.median(row["error_p99_us"] for row in slow), -150.0),
        ("client CPU at 1,000/s, %", 100 * statistics.median(row["client_cpu_fraction"] for row in slow), -33.3),
        ("within 1 ms at 10,000/s, %", 100 * statistics.median(row["share_within_1ms"] for row in fast), 99.9),
        ("requests per second of client CPU", per_cpu["modeldyno"], 40_000.0),
    ]
    if "wrk" in per_cpu:
        measured.append(("times wrk, per second of client CPU", per_cpu["modeldyno"] / per_cpu["wrk"], 0.4))
    lines = []
    for name, value, bar in measured:
        is_met = value <= -bar if bar < 0 else value >= bar
        asked = f"at most {-bar:,g}" if bar < 0 else f"at least {bar:,g}"
        lines.append(f"- {name}: {value:,.5g}, asked {asked}: {'met' if is_met else 'missed'}")
    return lines


def cpu_model() -> str:
    """As the kernel calls it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def main() -> None:
    """Measure, print the tables, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--real-time", action="store_true", help="open loops at real-time priority; needs root")
    parser.add_argument("--keep", action="store_true", help="write the result to results/")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    where = {
        "date": SystemClock().wall_time(),
        "cpu": cpu_model(),
        "cores": len(cores),
        "python": platform.python_version(),
        "priority": PRIORITIES[options.real_time],
        "load_average": os.getloadavg()[0],
        "rounds": options.rounds,
        "versions": {name: version(name) for name in ("modeldyno", "httptools", "uvloop", "numpy")},
    }
    server_core, client_core = cores[0], cores[-1]
    os.sched_setaffinity(0, {client_core})
    found = measure(options.rounds, (server_core, client_core), real_time=options.real_time)
    table = to_markdown(found, where)
    print(table)
    if options.keep:
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        (results / "load_precision.md").write_text(table)
        document = json.dumps({**where, **found}, indent=2, ensure_ascii=False)
        (results / "load_precision.json").write_text(document + "\n")


if __name__ == "__main__":
    main()
