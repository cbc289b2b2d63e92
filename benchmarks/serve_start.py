"""How long servers take from their start to their first answer, and how much memory they then hold.

    python benchmarks/serve_start.py [--rounds 3]

Each is started anew in its turn, on both cores, with nothing else running: time from the start of its process to the
first right answer to an inference, and the resident memory of all its processes after some answers. Beside them
stands a bare Python that has NumPy, ONNX Runtime and the same model.
"""

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from conditions import against_bars, heading, keep, median_of, spread, table
from environments import peer_versions
from model_servers import ModelServer, bentoml, fastapi, kserve, litserve, mlserver, modeldyno, mosec
from nets import Net, digits_net
from request_forms import find_fault
from running import HERE, ClientError
from server_tables import OURS, asked, server_conditions
from standing_servers import free_place, running_server, wait_right
from turns import Turn, figures, missing_lines, stolen_lines, take_turns

TASK = "start"
ALONE = "Python, ONNX Runtime and the model"
SERVERS = (modeldyno(), fastapi("/raw"), mosec(), kserve(), mlserver(), litserve(), bentoml())
ANSWERS = 200
EVERY_S = 0.002
MOST_ADDED_MB, MOST_READY_S = 60.0, 1.5


def measure(server: ModelServer, net: Net, directory: Path) -> dict[str, float]:
    """One start.

    Raises:
        ClientError: it does not start, or answers wrongly.
        NotInstallableError: it is not to be had here.
    """
    place = free_place(directory)
    command = server.command(net, place)
    began_s = time.monotonic()
    with running_server(server.name, command, core=None) as process:
        wait_right(server, net, place, process, every_s=EVERY_S)
        ready_s = time.monotonic() - began_s
        form, url = server.form(net), f"http://127.0.0.1:{place.port}"
        for _ in range(ANSWERS):
            fault = find_fault(form, net, url)
            if fault is not None:
                raise ClientError(f"{server.name}: {fault}")
        return {"ready_s": ready_s, "memory_mb": sum(resident_mb(one) for one in process.processes())}


def measure_alone(net: Net) -> dict[str, float]:
    """The least that any server in Python that computes with ONNX Runtime holds.

    Raises:
        ClientError: it failed.
    """
    script = "import sys, numpy, onnxruntime; from one_thread import open_session; s = open_session(sys.argv[1]); "
    script += f"x = numpy.load(sys.argv[2]); [s.run(['y'], {{'x': x}}) for _ in range({ANSWERS})]; "
    script += "print('ready', flush=True); sys.stdin.read()"
    row = net.path.with_suffix(".npy")
    np.save(row, net.row)
    began_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(net.path), str(row)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=HERE / "peers",
    ) as process:
        if process.stdout is None or process.stdout.readline().strip() != b"ready":
            raise ClientError("ONNX Runtime in process failed")
        ready_s = time.monotonic() - began_s
        memory_mb = resident_mb(psutil.Process(process.pid))
        process.kill()
    return {"ready_s": ready_s, "memory_mb": memory_mb}


def resident_mb(process: psutil.Process) -> float:
    """Memory of a process in 10⁶ bytes."""
    return float(process.memory_info().rss) / 1e6


def run_rounds(rounds: int, directory: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every server in turns."""
    net = digits_net(directory)
    turns = [Turn(ALONE, TASK, partial(measure_alone, net))]
    turns += [Turn(server.name, TASK, partial(measure, server, net, directory)) for server in SERVERS]
    return take_turns(rounds, turns)


def added_mb(found: list[dict[str, Any]], name: str) -> list[float]:
    """Memory over that of Python with the model, round by round."""
    alone = {one["round"]: one["memory_mb"] for one in found if one["client"] == ALONE}
    return [one["memory_mb"] - alone[one["round"]] for one in found if one["client"] == name]


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table and the bars."""
    rows = []
    for name in (ALONE, *(server.name for server in SERVERS)):
        ready_s, memory_mb = (figures(found, name, TASK, key) for key in ("ready_s", "memory_mb"))
        if ready_s:
            over = "-" if name == ALONE else spread(added_mb(found, name))
            rows.append([name, spread(ready_s, 2), spread(memory_mb), over])
    lines = heading(
        "Start and memory of servers of a digits model",
        where,
        "From the start of the process to the first right answer to an inference; resident memory of all processes "
        f"after {ANSWERS:,} answers. One worker each.",
    )
    lines += table(("server", "first answer after, s", "resident memory, MB", "over the first line, MB"), rows)
    bars = [
        (
            "memory over Python with ONNX Runtime and the model, MB",
            median_of(added_mb(found, OURS)),
            MOST_ADDED_MB,
            "at most",
        ),
        ("first answer after, s", median_of(figures(found, OURS, TASK, "ready_s")), MOST_READY_S, "at most"),
    ]
    return [*lines, *against_bars(bars), *stolen_lines(found), *missing_lines(missing)]


def main() -> None:
    """Measure, print the table, and keep it."""
    options = asked(__doc__, rounds=3)
    before = server_conditions(options.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        found, missing = run_rounds(options.rounds, Path(scratch))
    peers = ("fastapi", "uvicorn", "mosec", "kserve", "mlserver", "litserve", "bentoml")
    where = {**before, "peers": peer_versions(*peers)}
    keep("serve_start", to_markdown(found, missing, where), {**where, "servers": found, "left_out": missing})


if __name__ == "__main__":
    main()
