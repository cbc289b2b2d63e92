"""What a million requests take to write down, to keep in memory and to analyse.

    python benchmarks/analysis.py [--rounds 3]

Writing down: what the sending process does for each answered request (`Ledger`, `PartFile`), CPU time of all its
threads included. Memory: resident memory of the sending process while it sends a million requests to the null server.
Analysing: a million rows of a simulated queue, from the file on disk to the verdict, the page and the text, and the
writing of the file before.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from conditions import against_bars, conditions, heading, keep, spread, table, two_cores
from running import Client, ClientError, running_client, running_server

from modeldyno import __version__
from modeldyno.clock import SystemClock
from modeldyno.loadgen.ledger import Ledger
from modeldyno.loadgen.messages import Assignment
from modeldyno.loadgen.part_file import PartFile
from modeldyno.loadgen.recorder import finish_run, read_run
from modeldyno.loadgen.transports.connection import Answer, Connection
from modeldyno.machine.environment import capture_environment
from modeldyno.records.objective import parse_objectives
from modeldyno.records.requests import REQUEST_DTYPE, Outcome, empty_requests
from modeldyno.records.run import Run
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.reports.page.run_page import run_page
from modeldyno.reports.terminal.run import run_text
from modeldyno.stats.judge import judge_run
from modeldyno.stats.summary import summarise

REQUESTS = 1_000_000
RATE_PER_S = 5_000
LOAD = 0.7
AT_ONCE = 5_000
"""Rows handed on together: what comes in a quarter of a second at 20,000 requests per second."""
OBJECTIVES = "p99<20ms, p50<2ms, mean<2ms, error_rate<0.1%, throughput>4000"
MOST_US = 5.0
MOST_S = 10.0
MOST_GROWTH_PERCENT = 5.0


class _Nobody:
    """A connection's owner that is never told anything."""

    def answered(self, connection: Connection, answer: Answer) -> None:
        """See `ConnectionOwner`."""

    def malformed(self, connection: Connection) -> None:
        """See `ConnectionOwner`."""

    def lost(self, connection: Connection) -> None:
        """See `ConnectionOwner`."""


def recording_us(directory: Path) -> float:
    """CPU time of writing one request down, in microseconds."""
    planned = (np.arange(REQUESTS) * (1_000_000_000 // RATE_PER_S)).astype("<i8")
    assignment = Assignment(
        worker=0, workers=1, host="127.0.0.1", port=1, transport="http1", reader="plain", requests=[b""], rows=[1],
        kinds=[0], choice=np.zeros(REQUESTS, "<i4").tobytes(), planned=planned.tobytes(), first_measured=0,
        plan_end_ns=int(planned[-1]), timeout_ns=10**9, connections=1, max_connections=1,
        part_path=str(directory / "rows"), tokens_path=str(directory / "tokens"),
    )  # fmt: skip
    ledger, part = Ledger(assignment), PartFile(directory / "rows")
    connection = Connection(_Nobody(), SystemClock().now_ns)
    connection.connect_ns = -1
    connection.sent_bytes, connection.received_bytes = 600, 300
    answer = Answer(Outcome.OK, 200)
    before_s = time.process_time()
    for index in range(REQUESTS):
        connection.sent_ns = index
        connection.first_byte_ns = index + 100_000
        ledger.resolve(index, connection, answer, index + 110_000)
        if index % AT_ONCE == AT_ONCE - 1:
            part.append(ledger.take_ended()[0])
    written = part.close().written_bytes
    spent_s = time.process_time() - before_s
    if written != REQUESTS * REQUEST_DTYPE.itemsize:
        raise RuntimeError(f"{written} bytes were written of {REQUESTS} rows")
    return spent_s / REQUESTS * 1e6


def memory_of_a_run(cores: tuple[int, int]) -> dict[str, float]:
    """Resident memory of the sending process at a tenth and at the end of a million requests, and what came after.

    Raises:
        ClientError: the run failed, or was over before it could be looked at.
    """
    null_server = ("-m", "modeldyno.testing.null_server")
    with tempfile.TemporaryDirectory() as directory, running_server(*null_server, core=cores[0]) as url:
        run = Path(directory) / "run"
        load = ["load", url, "--model", "null", "--concurrency", "32", "--warmup", "0s", "--requests", str(REQUESTS)]
        command = [sys.executable, "-m", "modeldyno", *load, "--out", str(run), "--json"]
        with running_client("modeldyno", command, core=None) as client:
            samples = _watch(client, run)
            client.wait_done(120)
            requests = len(read_run(run)[1]) if (run / "requests.parquet").exists() else 0
        if requests < REQUESTS or len(samples) < 10:
            raise ClientError(f"{requests} requests were kept, {len(samples)} samples taken: {client.last_words()}")
    early = max(resident for rows, resident in samples if rows <= REQUESTS / 5)
    late = max(resident for rows, resident in samples if rows > REQUESTS / 5)
    return {"early_mb": early / 1e6, "late_mb": late / 1e6, "growth_percent": 100 * (late / early - 1)}


def _watch(client: Client, run: Path) -> list[tuple[int, int]]:
    """Rows on disk and resident bytes of the sending process, some times a second from its twentieth part on."""
    samples = []
    part = run / "requests.part-0"
    while client.is_running():
        time.sleep(0.1)
        try:
            rows = part.stat().st_size // REQUEST_DTYPE.itemsize
            worker = next(one for one in client.processes() if "modeldyno.loadgen.worker" in one.cmdline())
            resident = worker.memory_info().rss
        except (FileNotFoundError, StopIteration, psutil.NoSuchProcess):
            continue
        if rows >= REQUESTS // 20:
            samples.append((rows, resident))
    return samples


def simulated_rows() -> np.ndarray:
    """An M/M/1 queue at 70 % load, with a failure in ten thousand: what a long run of a real server looks like."""
    generator = np.random.default_rng(7)
    gaps_ns = generator.exponential(1e9 / RATE_PER_S, REQUESTS)
    service_ns = generator.exponential(LOAD * 1e9 / RATE_PER_S, REQUESTS)
    # Lindley's recursion: the wait is the walk of service less gap above its lowest point so far.
    walk = np.concatenate(([0.0], np.cumsum(service_ns[:-1] - gaps_ns[1:])))
    queue_ns = walk - np.minimum.accumulate(walk)
    rows = empty_requests(REQUESTS)
    rows["planned_ns"] = np.cumsum(gaps_ns).astype(np.int64)
    rows["sent_ns"] = rows["planned_ns"] + generator.lognormal(9, 0.5, REQUESTS).astype(np.int64)
    rows["done_ns"] = rows["sent_ns"] + (queue_ns + service_ns).astype(np.int64) + 100_000
    rows["first_byte_ns"] = rows["done_ns"] - 2_000
    rows["outcome"], rows["status"], rows["measured"], rows["rows"] = Outcome.OK, 200, True, 1
    failed = generator.random(REQUESTS) < 1e-4
    rows["outcome"][failed], rows["status"][failed] = Outcome.HTTP_ERROR, 503
    rows["server_queue_ns"], rows["server_inference_ns"] = queue_ns, service_ns
    rows["server_preprocess_ns"] = rows["server_postprocess_ns"] = 5_000
    rows["server_total_ns"] = (queue_ns + service_ns).astype(np.int64) + 10_000
    return rows


def analysis_s(directory: Path, rows: np.ndarray) -> dict[str, float]:
    """Seconds of each stage, from rows in memory to files, and from files to everything a user sees."""
    workload = Workload(
        url="http://127.0.0.1:1", model="null", rate_per_s=RATE_PER_S, requests=REQUESTS, warmup_requests=0, seed=1
    )
    objectives = parse_objectives(OBJECTIVES)
    effective = EffectiveWorkload(
        connections=8, workers=1, client_cpu_fraction=0.3, server_cpu_ns=None, server_peak_memory_bytes=None
    )
    run = Run(
        tool_version=__version__, state="complete", started_at=SystemClock().wall_time(), requested=workload,
        environment=capture_environment(), effective=effective, objectives=objectives,
    )  # fmt: skip
    spent: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        before_s = time.perf_counter()
        found = work()
        spent[stage] = time.perf_counter() - before_s
        return found

    timed("write", lambda: finish_run(directory, run, rows))
    read = timed("read", lambda: read_run(directory))[1]
    summary = timed("summary", lambda: summarise(read, workload, objectives))
    verdict = timed("verdict", lambda: judge_run(summary, read, workload, effective, objectives, interrupted=False))
    judged = msgspec.structs.replace(run, summary=summary, verdict=verdict)
    timed("page", lambda: run_page(judged, read))
    timed("text", lambda: run_text(judged))
    return {**spent, "total": sum(spent.values())}


def to_markdown(rounds: list[dict[str, dict[str, float]]], where: dict[str, Any]) -> list[str]:
    """The three tables and the bars."""

    def over(part: str, key: str) -> list[float]:
        return [one[part][key] for one in rounds]

    lines = heading(f"{REQUESTS:,} requests: writing them down, keeping them, analysing them", where)
    lines += table(
        ("stage of the analysis", "seconds"),
        [[stage, spread(over("analysis_s", stage), 2)] for stage in rounds[0]["analysis_s"]],
    )
    lines += table(
        ("of the sending process", "measured"),
        [
            ["writing a request down, µs of CPU", spread(over("recording", "us"), 2)],
            ["resident memory in the first fifth, MB", spread(over("memory", "early_mb"), 1)],
            ["resident memory afterwards, MB", spread(over("memory", "late_mb"), 1)],
        ],
    )
    return lines + against_bars(
        [
            ("analysis, s", statistics.median(over("analysis_s", "total")), MOST_S, "at most"),
            ("recording, µs a request", statistics.median(over("recording", "us")), MOST_US, "at most"),
            (
                "growth of memory, %",
                statistics.median(over("memory", "growth_percent")),
                MOST_GROWTH_PERCENT,
                "at most",
            ),
        ]
    )


def main() -> None:
    """Measure, print the tables, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    where = conditions(options.rounds)
    rows = simulated_rows()
    rounds = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as directory:
            recording = {"us": recording_us(Path(directory))}
        with tempfile.TemporaryDirectory() as directory:
            analysis = analysis_s(Path(directory), rows)
        rounds.append({"recording": recording, "analysis_s": analysis, "memory": memory_of_a_run(two_cores())})
        print(f"round {number + 1} of {options.rounds}", flush=True)
    keep("analysis", to_markdown(rounds, where), {**where, "measured": rounds})


if __name__ == "__main__":
    main()
