"""Server CPU per `ModelInfer`, side by side with MLServer and with the least that grpcio's asyncio server can do.

    python benchmarks/serve_grpc.py [--rounds 5] [--seconds 1.5]

The digits model, raw tensors in and out; one process each, all up for the whole time on one core, asked by the same
client in turns. Ours and MLServer are whole servers: decoding, checks, queue, metrics. grpc.aio does nothing but parse
the message, compute and answer, so that it bounds from below what any server built on it takes, MLServer and KServe's
among them.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from closed_loop_grpc import run_closed_loop
from conditions import against_bars, heading, keep, two_cores
from environments import peer_versions
from model_servers import PEERS, Command, ModelServer, Place, mlserver, modeldyno
from nets import Net, digits_net
from request_forms import oip_binary
from running import Client, ClientError
from server_tables import INTERPRETED, asked, load_table, server_conditions, times
from standing_servers import READY_WITHIN_S, free_place, running_server
from turns import Turn, missing_lines, stolen_lines, take_turns

from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs, parse_infer_response

USERS = (8, 32)
LEAST_TIMES = 2.0


def grpc_aio() -> ModelServer:
    """No server to be used, but the floor under those that are built on it."""

    def command(net: Net, place: Place) -> Command:
        return Command([sys.executable, str(PEERS / "grpc_aio_app.py"), str(place.grpc_port)], {"MODEL": str(net.path)})

    return ModelServer("grpc.aio, bare", command, oip_binary)


PEER_SERVERS = (mlserver(), grpc_aio())
SERVERS = (
    modeldyno(speaks_grpc=True),
    modeldyno(INTERPRETED, speaks_grpc=True, is_compiled=False),
    *PEER_SERVERS,
)


class Asker:
    """The servers, each started when it is first asked, and what they are asked."""

    def __init__(self, net: Net, directory: Path, stack: contextlib.ExitStack) -> None:
        self._net = net
        self._directory = directory
        self._stack = stack
        self._standing: dict[str, tuple[Client, str]] = {}
        self._message = encode_infer_request({"x": net.row}, net.signature, net.name, request_id="dyno-0")

    def measure(self, server: ModelServer, users: int, seconds: float) -> dict[str, float]:
        """One load.

        Raises:
            ClientError: the server does not start, or answers wrongly.
            NotInstallableError: it is not to be had here.
        """
        if server.name not in self._standing:
            self._standing[server.name] = self._start(server)
        process, address = self._standing[server.name]
        first_cpu_s, first_s = process.cpu_s(), time.monotonic()
        answers = self._ask(address, users, seconds)
        cpu_s, wall_s = process.cpu_s() - first_cpu_s, time.monotonic() - first_s
        return {
            "answers": answers,
            "per_s": answers / wall_s,
            "cpu_us": cpu_s / answers * 1e6,
            "per_cpu_s": answers / cpu_s,
            "cores": cpu_s / wall_s,
        }

    def _start(self, server: ModelServer) -> tuple[Client, str]:
        place = free_place(self._directory)
        command = server.command(self._net, place)
        process = self._stack.enter_context(running_server(server.name, command, core=two_cores()[0]))
        address = f"127.0.0.1:{place.grpc_port}"
        give_up = time.monotonic() + READY_WITHIN_S
        while True:
            process.check_running()
            try:
                self._ask(address, 1, 0.3)
            except OSError as problem:
                if time.monotonic() > give_up:
                    raise ClientError(f"{server.name}: {problem}; {process.last_words()}") from problem
                time.sleep(0.1)
            else:
                return process, address

    def _ask(self, address: str, users: int, seconds: float) -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                answers, last = runner.run(run_closed_loop(address, self._message, concurrency=users, seconds=seconds))
            except RuntimeError as problem:
                raise ClientError(f"a call failed: {problem}") from problem
        output = infer_outputs(parse_infer_response(last))["y"]
        if not np.allclose(output, self._net.answer, rtol=1e-3, atol=1e-4):
            raise ClientError(f"{address} answers wrongly: {output}")
        return answers


def run_rounds(rounds: int, seconds: float, directory: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every server in turns, at each number of users."""
    with contextlib.ExitStack() as stack:
        asker = Asker(digits_net(directory), directory, stack)
        turns = [
            Turn(server.name, f"{users} users", partial(asker.measure, server, users, seconds))
            for users in USERS
            for server in SERVERS
        ]
        return take_turns(rounds, turns)


def to_markdown(found: list[dict[str, Any]], missing: dict[str, str], where: dict[str, Any]) -> list[str]:
    """The table and the bars."""
    tasks = [f"{users} users" for users in USERS]
    lines = heading(
        "gRPC: server CPU per call",
        where,
        "One `ModelInfer` of 64 FP32, raw, with an id, on that many connections in a closed loop; digits.",
        "Ours and MLServer are whole servers; grpc.aio, bare, parses, computes and answers, and does nothing else.",
        f"{INTERPRETED}, is the same sources as an editable installation has them, not compiled.",
    )
    lines += load_table(found, tasks)
    bars = [
        (f"times the calls per server CPU second of {server.name} ({task})", value, LEAST_TIMES, "at least")
        for server in PEER_SERVERS
        for task in tasks
        for value in (times(found, server.name, task),)
    ]
    return [*lines, *against_bars(bars), *stolen_lines(found), *missing_lines(missing)]


def main() -> None:
    """Measure, print the table, and keep it."""
    options = asked(__doc__, rounds=5, seconds=1.5)
    before = server_conditions(options.rounds)
    os.sched_setaffinity(0, {two_cores()[1]})  # the client; `taskset` puts the servers elsewhere
    with tempfile.TemporaryDirectory() as scratch:
        found, missing = run_rounds(options.rounds, options.seconds, Path(scratch))
    where = {**before, "peers": peer_versions("mlserver", "grpcio")}
    keep("serve_grpc", to_markdown(found, missing, where), {**where, "servers": found, "left_out": missing})


if __name__ == "__main__":
    main()
