"""Clients for language models, side by side, against a streamer whose tokens come at known moments.

    python benchmarks/llm_stream.py [--rounds 2]

Three turns a client and round, 64 tokens an answer: a closed loop of 32 users whose answers come at once (what a token
costs), 1,000 requests per second whose answers come at once (is that delivered?), and 20 per second with the first
token after 20 ms and the others 5 ms apart (does the client report just that?). The streamer (`modeldyno.testing`)
keeps the moment of every request and token; requests and times are taken from there, and CPU time is that of all
processes of a client over a window in the middle of its run, so that nobody's start counts. The streamer has a core of
its own; clients may use both. The peers get environments of their own under `.venvs/`.
"""

import argparse
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from conditions import against_bars, conditions, heading, keep, median_of, spread, table, two_cores
from digits_clients import OURS
from environments import NotInstallableError, peer_program, peer_versions
from llm_clients import CLIENTS, TOKENS, Stream
from running import HERE, ClientError, running_client, running_server, wait_under_way
from turns import Turn, figures, missing_lines, ratios, stolen_lines, take_turns

from modeldyno.testing.token_truth import TokenTruth, decode_token_truth

SETTLE_S = 1.0
LEAST_RATIO = 10.0
MOST_ERROR_MS = 0.2
LEAST_DELIVERED_PER_S = 995.0
"""Of 1,000: a window of some seconds cuts off a request at either end."""


class Task(NamedTuple):
    """One kind of run."""

    name: str
    first_token: str
    gap: str
    window_s: float
    users: int = 0
    rate_per_s: int = 0
    is_about_time: bool = False


COST = Task("cost", "0ms", "0ms", 4.0, users=32)
OFFERED = Task("offered", "0ms", "0ms", 4.0, rate_per_s=1_000)
TIMING = Task("timing", "20ms", "5ms", 8.0, rate_per_s=20, is_about_time=True)
TASKS = (COST, OFFERED, TIMING)


@contextmanager
def running_streamer(task: Task) -> Iterator[str]:
    """Its URL."""
    words = ("-m", "modeldyno.testing.token_streamer", "--first-token", task.first_token, "--gap", task.gap)
    with running_server(*words, core=two_cores()[0]) as url:
        yield url


def truth_of(url: str) -> TokenTruth:
    """What the streamer did so far."""
    with urllib.request.urlopen(f"{url}/truth", timeout=60) as answer:  # noqa: S310 - our own server's, http
        return decode_token_truth(answer.read())


def measure(name: str, task: Task, tokenizer: Path) -> dict[str, Any]:
    """One turn of one client.

    Raises:
        ClientError: it failed.
        NotInstallableError: it is not to be had here.
    """
    with tempfile.TemporaryDirectory() as directory, running_streamer(task) as url:
        seconds = round(SETTLE_S + task.window_s + 2.0)
        asked = Stream(url, Path(directory), tokenizer, seconds, task.users, task.rate_per_s)
        with running_client(name, CLIENTS[name].command(asked), core=None) as client:
            wait_under_way(lambda: len(truth_of(url).answers), client, least=10, every_s=0.2)
            time.sleep(SETTLE_S)
            first_cpu_s, first_ns = client.cpu_s(), time.monotonic_ns()
            time.sleep(task.window_s)
            cpu_s, last_ns = client.cpu_s() - first_cpu_s, time.monotonic_ns()
            if task.is_about_time or name == OURS:
                client.wait_done(120)
        truth = truth_of(url)
        arrived = truth.answers["arrived_ns"]
        seconds_seen = (last_ns - first_ns) / 1e9
        requests = int(((arrived >= first_ns) & (arrived < last_ns)).sum())
        if not requests:
            raise ClientError(f"no request came within {task.window_s:g} s: {client.last_words()}")
        found = {
            "requests_per_s": requests / seconds_seen,
            "tokens_per_cpu_s": requests * TOKENS / cpu_s,
            "cpu_cores": cpu_s / seconds_seen,
        }
        return found | (times(name, Path(directory), truth) if task.is_about_time else {})


def times(name: str, directory: Path, truth: TokenTruth) -> dict[str, float]:
    """What the client says at the median, and by how much that is off."""
    said = CLIENTS[name].medians(directory)
    true_first_ms = float(np.median(truth.first_tokens_ns())) / 1e6
    true_gap_ms = float(np.median(truth.gaps_ns())) / 1e6
    return {
        "first_token_ms": said.first_token_ms,
        "first_token_error_ms": said.first_token_ms - true_first_ms,
        "inter_token_ms": said.inter_token_ms,
        "inter_token_error_ms": said.inter_token_ms - true_gap_ms,
    }


def run_rounds(rounds: int, clients: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every client at every task once a round; also what is missing, and why."""
    with tempfile.TemporaryDirectory() as directory:
        tokenizer = Path(directory) / "tokenizer"
        reason = ""
        try:
            python = peer_program("aiperf", "python")
            subprocess.run([python, HERE / "peers" / "make_tokenizer.py", tokenizer], check=True, capture_output=True)
        except (NotInstallableError, subprocess.CalledProcessError) as problem:
            reason = f"no tokenizer could be made: {problem}"
        able = [name for name in clients if name == OURS or not reason]
        turns = [Turn(name, task.name, partial(measure, name, task, tokenizer)) for task in TASKS for name in able]
        found, missing = take_turns(rounds, turns)
    return found, missing | {name: reason for name in clients if name not in able}


def ratio(found: Sequence[dict[str, Any]], name: str, task: Task) -> list[float]:
    """Tokens per second of client CPU, ours over the client's, round by round."""
    return ratios(found, OURS, name, task.name, "tokens_per_cpu_s")


def to_markdown(found: Sequence[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """A table for each turn, the bars, and who is missing."""
    lines = heading(
        "Streamed answers of 64 tokens: cost and truth of clients for language models",
        where,
        "Against a streamer of known moments on a core of its own; requests counted by it, CPU time of all processes "
        "of a client over a window in the middle of its run.",
    )
    lines += ["## A closed loop of 32 users, answers at once", "", *_costs(found, COST)]
    lines += ["## 1,000 requests per second offered, answers at once", "", *_costs(found, OFFERED)]
    lines += [f"## 20 requests per second, first token after {TIMING.first_token}, then every {TIMING.gap}", ""]
    lines += [*_costs(found, TIMING), *_errors(found)]
    delivered = median_of(figures(found, OURS, OFFERED.name, "requests_per_s"))
    first_ms, gap_ms = (
        _magnitude(figures(found, OURS, TIMING.name, f"{name}_error_ms")) for name in ("first_token", "inter_token")
    )
    aiperf, guidellm = (median_of(ratio(found, name, COST)) for name in ("AIPerf", "GuideLLM"))
    lines += against_bars(
        [
            ("times AIPerf, tokens per second of client CPU", aiperf, LEAST_RATIO, "at least"),
            ("times GuideLLM, tokens per second of client CPU", guidellm, LEAST_RATIO, "at least"),
            ("requests per second of 1,000 offered", delivered, LEAST_DELIVERED_PER_S, "at least"),
            ("error of the first token, ms", first_ms, MOST_ERROR_MS, "at most"),
            ("error between tokens, ms", gap_ms, MOST_ERROR_MS, "at most"),
        ]
    )
    return [*lines, *stolen_lines(found), *missing_lines(missing)]


def _costs(found: Sequence[dict[str, Any]], task: Task) -> list[str]:
    columns = ("client", "tokens per client CPU second", "requests per second", "client CPU, cores", "ours is × this")
    keys = (("tokens_per_cpu_s", 0), ("requests_per_s", 0), ("cpu_cores", 2))
    return table(
        columns,
        [
            [
                name,
                *(spread(figures(found, name, task.name, key), digits) for key, digits in keys),
                "1" if name == OURS else spread(ratio(found, name, task), 1),
            ]
            for name in CLIENTS
            if figures(found, name, task.name, "cpu_cores")
        ],
    )


def _errors(found: Sequence[dict[str, Any]]) -> list[str]:
    columns = (
        "client", "first token, ms (its median)", "off the truth by, ms", "between tokens, ms (its median)",
        "off the truth by, ms",
    )  # fmt: skip
    keys = (("first_token_ms", 2), ("first_token_error_ms", 3), ("inter_token_ms", 3), ("inter_token_error_ms", 3))
    rows = [
        [name, *(spread(figures(found, name, TIMING.name, key), digits) for key, digits in keys)]
        for name in CLIENTS
        if figures(found, name, TIMING.name, "first_token_ms")
    ]
    return table(columns, rows)


def _magnitude(values: Sequence[float]) -> float | None:
    return median_of([abs(value) for value in values])


def main() -> None:
    """Measure, print the tables, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clients", default=",".join(CLIENTS), help="those to measure; all, unless told otherwise")
    options = parser.parse_args()
    before = conditions(options.rounds)
    found, missing = run_rounds(options.rounds, options.clients.split(","))
    where = {**before, "peers": peer_versions("aiperf", "guidellm")}
    keep("llm_stream", to_markdown(found, missing, where), {**where, "turns": found, "left_out": missing})


if __name__ == "__main__":
    main()
