"""Calls per second of client CPU over gRPC in a closed loop, side by side with grpcio's clients.

    python benchmarks/load_grpc.py [--rounds 3]

All send the same digits-sized `ModelInfer` (64 FP32, raw) for 32 users to the null server, in turns; ours over 32
connections, grpcio's over the one that its channel opens, which spares it system calls. The client's CPU time is that
of all its processes, read from outside, over a window in the middle of its run. Server and client have a core each.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from conditions import against_bars, conditions, heading, keep, spread, table, two_cores
from environments import NotInstallableError, peer_program
from running import ClientError, running_client

from modeldyno.testing.null_server import SIGNATURE
from modeldyno.wire.v2_grpc import encode_infer_request

USERS = 32
SETTLE_S = 2.5
WINDOW_S = 4.0
SECONDS = SETTLE_S + WINDOW_S
LEAST_RATIO = 2.0
OURS = "modeldyno"


def ours(address: str, directory: Path) -> list[str]:
    """The whole of `dyno load`: every stamp recorded, the server's processes watched."""
    run = ["--concurrency", str(USERS), "--duration", f"{SECONDS}s", "--out", str(directory / "run"), "--json"]
    return [sys.executable, "-m", "modeldyno", "load", f"grpc://{address}", "--model", "null", *run]


def grpcio(kind: str) -> Callable[[str, Path], list[str]]:
    """`aio` or `threads`, in an environment of its own."""

    def words(address: str, directory: Path) -> list[str]:
        script = str(Path(__file__).parent / "peers" / "grpcio_client.py")
        message = str(directory / "message")
        return [peer_program("grpcio", "python"), script, address, message, str(USERS), str(SECONDS), kind]

    return words


CLIENTS: dict[str, Callable[[str, Path], list[str]]] = {
    OURS: ours,
    "grpc.aio": grpcio("aio"),
    "grpcio, a thread each": grpcio("threads"),
}


@contextlib.contextmanager
def null_server(core: int) -> Iterator[str]:
    """Its address; ended by SIGTERM."""
    command = ["taskset", "-c", str(core), sys.executable, "-m", "modeldyno.testing.null_grpc_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip().removeprefix("grpc://") if process.stdout else ""
        finally:
            process.terminate()


def measure(name: str, address: str, core: int) -> dict[str, Any]:
    """One turn of one client.

    Raises:
        ClientError: it failed.
        NotInstallableError: it is not to be had here.
    """
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        message = encode_infer_request({"input": np.zeros((1, 64), np.float32)}, SIGNATURE, "null", request_id="dyno-0")
        (directory / "message").write_bytes(message)
        words = CLIENTS[name](address, directory)
        with running_client(name, words, core=core) as client:
            time.sleep(SETTLE_S)
            first_cpu_s, first_s = client.cpu_s(), time.monotonic()
            time.sleep(WINDOW_S)
            cores = (client.cpu_s() - first_cpu_s) / (time.monotonic() - first_s)
            client.wait_done(60)
            said = client.last_words()
        if name == OURS:
            summary = json.loads((directory / "run" / "run.json").read_text())["summary"]
            per_s = float(summary["rate_delivered_per_s"])
            if summary["failures"]:
                raise ClientError(f"{OURS} had failures: {summary['failures']}")
        else:
            per_s = float(said)
    return {"client": name, "per_s": per_s, "cpu_cores": cores, "per_cpu_s": per_s / cores}


def run_rounds(rounds: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every client once a round; also why a client is left out."""
    cores = two_cores()
    blocks: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    with null_server(cores[0]) as address:
        for number in range(rounds):
            for name in CLIENTS:
                if name in missing:
                    continue
                try:
                    blocks.append({"round": number, **measure(name, address, cores[1])})
                except (NotInstallableError, ClientError) as problem:
                    print(f"{name}: {problem}", flush=True)
                    missing[name] = str(problem)
            print(f"round {number + 1} of {rounds}", flush=True)
    return blocks, missing


def ratios(blocks: list[dict[str, Any]], name: str) -> list[float]:
    """Ours over the client's, per second of client CPU, round by round."""
    own = {block["round"]: block["per_cpu_s"] for block in blocks if block["client"] == OURS}
    return [own[one["round"]] / one["per_cpu_s"] for one in blocks if one["client"] == name and one["round"] in own]


def to_markdown(blocks: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table, the bars and who is missing."""
    rows = []
    for name in CLIENTS:
        mine = [block for block in blocks if block["client"] == name]
        if mine:
            cells = [spread([block[key] for block in mine]) for key in ("per_cpu_s", "per_s")]
            cpu = spread([block["cpu_cores"] for block in mine], 2)
            rows.append([name, *cells, cpu, "1" if name == OURS else spread(ratios(blocks, name), 2)])
    lines = heading(
        f"gRPC, a closed loop of {USERS} users: calls per second of client CPU",
        where,
        "One digits-sized `ModelInfer` (64 FP32, raw) against `modeldyno.testing.null_grpc_server`. CPU time of all "
        f"processes of a client over {WINDOW_S:g} s in the middle of its run.",
        "Ours is the whole of `dyno load`; the others send bytes, parse no answer and keep no stamps.",
    )
    columns = ("client", "calls per client CPU second", "calls per second", "client CPU, cores", "ours is × this")
    lines += table(columns, rows)
    medians = {
        name: sorted(found)[len(found) // 2] for name in CLIENTS if name != OURS and (found := ratios(blocks, name))
    }
    lines += against_bars([(f"times {name}", medians.get(name), LEAST_RATIO, "at least") for name in list(CLIENTS)[1:]])
    lines += [f"- {name} was left out: {why}" for name, why in missing.items()]
    return [*lines, ""]


def main() -> None:
    """Measure, print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    where = conditions(options.rounds)
    blocks, missing = run_rounds(options.rounds)
    keep("load_grpc", to_markdown(blocks, missing, where), {**where, "clients": blocks, "left_out": missing})


if __name__ == "__main__":
    main()
