"""ONNX Runtime without a server: what a model takes by itself, and what several processes reach with it at once."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from nets import Net
from running import HERE, ClientError

NAME = "ONNX Runtime in process"


def computed(
    net: Net, *, seconds: float, cores: list[int | None], rows: int = 1, interpreter: str = sys.executable
) -> dict[str, float]:
    """One process with one session and one thread on each core, all at once; their rates are summed.

    Args:
        net: the model; each call computes its row.
        seconds: how long.
        cores: one process for each; None for any core.
        rows: how often the row is in each call.
        interpreter: with ONNX Runtime.

    Returns:
        Rows per second, CPU of a row in µs, and the median of a call in µs.

    Raises:
        ClientError: one of them failed.
    """
    row = net.path.with_suffix(".npy")
    if not row.exists():
        np.save(row, net.row)
    script = HERE / "peers" / "ort_loop.py"
    with contextlib.ExitStack() as stack:
        loops = []
        for core in cores:
            pin = [] if core is None else ["taskset", "-c", str(core)]
            words = [*pin, interpreter, str(script), str(row), str(rows), str(seconds)]
            loops.append(stack.enter_context(_loop(words, net.path)))
        for loop in loops:
            _read_line(loop)  # it is ready
        for loop in loops:
            _go(loop)
        found = [json.loads(_read_line(loop)) for loop in loops]
    calls = sum(one["calls"] for one in found)
    return {
        "per_s": sum(one["calls"] / one["seconds"] for one in found) * rows,
        "cpu_us": sum(one["cpu_s"] for one in found) / calls / rows * 1e6,
        "per_cpu_s": calls * rows / sum(one["cpu_s"] for one in found),
        "cores": sum(one["cpu_s"] / one["seconds"] for one in found),
        "median_us": min(one["median_us"] for one in found),
    }


def _loop(words: list[str], model: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "MODEL": str(model), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _go(loop: "subprocess.Popen[str]") -> None:
    assert loop.stdin is not None  # noqa: S101 - it was opened with a pipe
    loop.stdin.write("\n")
    loop.stdin.flush()


def _read_line(loop: "subprocess.Popen[str]") -> str:
    assert loop.stdout is not None  # noqa: S101 - it was opened with a pipe
    line = loop.stdout.readline()
    if not line:
        raise ClientError(f"ONNX Runtime in process ended with {loop.wait()}")
    return line
