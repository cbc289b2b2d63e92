"""Server CPU per request: Modeldyno's server beside FastAPI + uvicorn + ONNX Runtime, on the same digits model.

    python benchmarks/serve_digits.py [--rounds 7] [--seconds 1.5]

Same model file, same client, one worker process each, all of them up for the whole time, measured in turns. What is
compared is requests per second of server CPU (user and system time of the server's process), so that a busy client
or neighbour costs nobody anything. The peers get an environment of their own under `.venvs/`.
"""

import argparse
import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uvloop
from closed_loop import run_closed_loop

from modeldyno.clock import SystemClock
from modeldyno.wire.v2_client import decode_infer_response, encode_infer_request

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "peers"))
CONCURRENCIES = (8, 32)
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class System(NamedTuple):
    """One server under test."""

    name: str
    command: list[str]
    port: int
    request: bytes


class Block(NamedTuple):
    """One turn of one server."""

    system: str
    concurrency: int
    answers: int
    cpu_s: float
    seconds: float


def train_digits(directory: Path) -> tuple[Path, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A 64-128-10 MLP as ONNX, one row, and the probabilities scikit-learn gives for it."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    rows, labels = load_digits(return_X_y=True)
    rows = rows.astype(np.float32)
    model = MLPClassifier((128,), max_iter=60, random_state=1).fit(rows / 16, labels)
    path = directory / "digits.onnx"
    proto = to_onnx(model, initial_types=[("x", FloatTensorType([None, 64]))], options={"zipmap": False})
    path.write_bytes(proto.SerializeToString())
    row = rows[:1] / 16
    return path, row, model.predict_proba(row).astype(np.float32)


def peer_python() -> Path:
    """The interpreter of the peer's environment, which is made when it is not there."""
    environment = HERE / ".venvs" / "fastapi"
    python = environment / "bin" / "python"
    if not (environment / ".complete").exists():
        print("making the peer's environment", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        subprocess.run(
            [python, "-m", "pip", "--disable-pip-version-check", "-q", "install", "-r", HERE / "peers" / "fastapi.txt"],
            check=True,
        )
        (environment / ".complete").touch()
    return python


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_systems(model: Path, row: np.ndarray[Any, Any]) -> list[System]:
    """The servers, with the bytes each is sent."""
    from modeldyno_app import SIGNATURE  # type: ignore[import-not-found]

    infer = encode_infer_request({"x": row}, SIGNATURE)
    length = {"Inference-Header-Content-Length": str(infer.header_length)}
    systems = []
    for name, max_rows in (("modeldyno, batch ≤ 32", 32), ("modeldyno, no batching", 1)):
        port = free_port()
        command = [sys.executable, str(HERE / "peers" / "modeldyno_app.py"), str(model), str(port), str(max_rows)]
        request = http_request("/v2/models/digits/infer", port, infer.body, length)
        systems.append(System(name, command, port, request))
    port = free_port()
    command = [str(peer_python()), str(HERE / "peers" / "fastapi_app.py"), str(model), str(port)]
    systems.append(
        System("FastAPI + uvicorn + ONNX Runtime", command, port, http_request("/predict", port, row.tobytes(), {}))
    )
    return systems


def http_request(path: str, port: int, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST request as bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/octet-stream",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


@contextlib.contextmanager
def running(system: System) -> Iterator[int]:
    """The process id of the started server, once it answers."""
    with subprocess.Popen(system.command, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{system.port}/", timeout=5)
                except urllib.error.HTTPError:
                    break  # 404: it is there
                except OSError:
                    if process.poll() is not None:
                        raise
                    time.sleep(0.1)
            yield process.pid
        finally:
            process.terminate()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def check_answer(system: System, body: bytes, truth: np.ndarray[Any, Any]) -> None:
    """The last answer is the model's."""
    if system.name.startswith("modeldyno"):
        # All that follows the JSON part is the one output: 10 float32.
        answer = decode_infer_response(body, len(body) - truth.nbytes)["probabilities"]
    else:
        answer = np.frombuffer(body, np.float32).reshape(1, 10)
    if not np.allclose(answer.astype(np.float32), truth, atol=1e-5):
        raise ValueError(f"{system.name} answered {answer}, not {truth}")


def measure(
    systems: list[System], pids: list[int], rounds: int, seconds: float, truth: np.ndarray[Any, Any]
) -> list[Block]:
    """Blocks in turns: each round visits every server at every concurrency."""
    blocks = []
    for number in range(-1, rounds):  # one round to warm up
        for concurrency in CONCURRENCIES:
            for system, pid in zip(systems, pids, strict=True):
                before_s = cpu_seconds(pid)
                answers, body = uvloop.run(
                    run_closed_loop(system.port, system.request, concurrency=concurrency, seconds=seconds)
                )
                cpu_s = cpu_seconds(pid) - before_s
                check_answer(system, body, truth)
                if number >= 0:
                    blocks.append(Block(system.name, concurrency, answers, cpu_s, seconds))
        print(f"round {number + 1} of {rounds}", flush=True)
    return blocks


def summarise(systems: list[System], blocks: list[Block]) -> list[dict[str, Any]]:
    """For each concurrency and server: CPU per request, and the ratio to the peer of the same round."""
    rows = []
    peer = systems[-1].name
    for concurrency in CONCURRENCIES:
        per_cpu = {
            system.name: [
                block.answers / block.cpu_s
                for block in blocks
                if (block.system, block.concurrency) == (system.name, concurrency)
            ]
            for system in systems
        }
        for system in systems:
            ratios = [ours / theirs for ours, theirs in zip(per_cpu[system.name], per_cpu[peer], strict=True)]
            rates = [
                block.answers / block.seconds
                for block in blocks
                if (block.system, block.concurrency) == (system.name, concurrency)
            ]
            rows.append(
                {
                    "system": system.name,
                    "concurrency": concurrency,
                    "cpu_us_per_request": 1e6 / statistics.median(per_cpu[system.name]),
                    "requests_per_cpu_s": statistics.median(per_cpu[system.name]),
                    "requests_per_s": statistics.median(rates),
                    "ratio_min": min(ratios),
                    "ratio_median": statistics.median(ratios),
                    "ratio_max": max(ratios),
                }
            )
    return rows


def cpu_model() -> str:
    """As the kernel calls it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def conditions(rounds: int, seconds: float) -> dict[str, Any]:
    """Where and how it was measured."""
    peer_pins = (HERE / "peers" / "fastapi.txt").read_text().splitlines()
    return {
        "date": SystemClock().wall_time(),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("modeldyno", "httptools", "uvloop", "numpy", "onnxruntime")},
        "peer_versions": dict(pin.split("==") for pin in peer_pins if "==" in pin),
        "rounds": rounds,
        "seconds_per_block": seconds,
    }


def to_markdown(rows: list[dict[str, Any]], where: dict[str, Any]) -> str:
    """The table with its conditions."""
    lines = [
        "# Serving a digits model: requests per second of server CPU",
        "",
        f"{where['date']}, {where['cpu']}, {where['cores']} cores, Python {where['python']}.",
        f"{where['rounds']} rounds of {where['seconds_per_block']} s a block, in turns.",
        "Ratio to the peer in the same round: median [min, max].",
        "",
        "| concurrency | server | CPU a request | requests per CPU second | requests per second | ratio |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['concurrency']} | {row['system']} | {row['cpu_us_per_request']:.1f} µs "
        f"| {row['requests_per_cpu_s']:,.0f} | {row['requests_per_s']:,.0f} "
        f"| {row['ratio_median']:.2f} [{row['ratio_min']:.2f}, {row['ratio_max']:.2f}] |"
        for row in rows
    ]
    ours = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    names = ("fastapi", "uvicorn", "starlette", "onnxruntime", "uvloop", "httptools")
    theirs = ", ".join(f"{name} {where['peer_versions'][name]}" for name in names)
    return "\n".join([*lines, "", f"Here: {ours}. Peer: {theirs}.", ""])


def main() -> None:
    """Measure, print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one block")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model, row, truth = train_digits(directory)
        systems = make_systems(model, row)
        pids = [stack.enter_context(running(system)) for system in systems]
        blocks = measure(systems, pids, options.rounds, options.seconds, truth)
    rows = summarise(systems, blocks)
    where = conditions(options.rounds, options.seconds)
    table = to_markdown(rows, where)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "serve_digits.md").write_text(table)
    document = {**where, "results": rows, "blocks": [block._asdict() for block in blocks]}
    (results / "serve_digits.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    print(table)


if __name__ == "__main__":
    main()
