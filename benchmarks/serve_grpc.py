"""Server CPU per `ModelInfer`: Modeldyno's server beside the asyncio server of grpcio.

    python benchmarks/serve_grpc.py [--rounds 5] [--seconds 2]

Both multiply a row of 64 FP32 with the same matrix, raw tensors in and out; one process each, up for the whole time,
asked by the same client in turns. Ours is the whole server: decoding, checks, queue, batching, metrics, accounting.
grpcio's does nothing but parse the message, multiply and answer, so that it bounds from below what any server built
on it takes, MLServer and KServe's among them.
"""

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import uvloop
from closed_loop_grpc import run_closed_loop
from conditions import against_bars, conditions, heading, keep, spread, table, two_cores

from modeldyno.clock import SystemClock
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.serving import Server
from modeldyno.testing.running_server import make_model
from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs, parse_infer_response

SIGNATURE = Signature(
    inputs=(TensorSpec(name="input", datatype="FP32", shape=("batch", 64)),),
    outputs=(TensorSpec(name="output", datatype="FP32", shape=("batch", 10)),),
)
MATRIX = np.arange(640, dtype=np.float32).reshape(64, 10) / 640
OURS, PEER = "modeldyno", "grpc.aio"
CONCURRENCIES = (8, 32)
LEAST_RATIO = 2.0


def serve_ours() -> None:
    """Until SIGTERM."""
    model = make_model(
        lambda inputs: {"output": np.dot(inputs["input"], MATRIX)}, SIGNATURE, name="digits", max_rows=32
    )
    server = Server([model], ServerSettings(port=0, grpc_port=0), clock=SystemClock())
    server.run(lambda _url: print(server.grpc_url.removeprefix("grpc://"), flush=True), signals=(signal.SIGTERM,))


async def serve_grpcio() -> None:
    """Until SIGTERM."""
    import grpc.aio
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
        async def ModelInfer(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the protocol's name
            rows = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(tuple(request.inputs[0].shape))
            output = rows @ MATRIX
            answer = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
            answer.outputs.add(name="output", datatype="FP32", shape=output.shape)
            answer.raw_output_contents.append(output.tobytes())
            return answer

    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(f"127.0.0.1:{port}", flush=True)
    await stopped.wait()
    await server.stop(None)


@contextlib.contextmanager
def running(name: str, core: int) -> Iterator[tuple[psutil.Process, str]]:
    """The server's process and address; ended by SIGTERM."""
    command = ["taskset", "-c", str(core), sys.executable, __file__, "--serve", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield psutil.Process(process.pid), process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def measure(process: psutil.Process, address: str, concurrency: int, seconds: float) -> dict[str, float]:
    """One turn of one server.

    Raises:
        ValueError: it answers wrongly.
    """
    row = np.ones((1, 64), np.float32)
    message = encode_infer_request({"input": row}, SIGNATURE, "digits", request_id="dyno-0")
    first_cpu_s, first_s = sum(process.cpu_times()[:2]), time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answers, last = runner.run(run_closed_loop(address, message, concurrency=concurrency, seconds=seconds))
    cpu_s, wall_s = sum(process.cpu_times()[:2]) - first_cpu_s, time.monotonic() - first_s
    if not np.allclose(infer_outputs(parse_infer_response(last))["output"], row @ MATRIX):
        raise ValueError(f"{address} answers wrongly")
    return {"answers": answers, "per_s": answers / wall_s, "cpu_us": cpu_s / answers * 1e6}


def run_rounds(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Both servers in turns, at each concurrency."""
    server_core, _ = two_cores()
    blocks: list[dict[str, Any]] = []
    with running(OURS, server_core) as ours, running(PEER, server_core) as peer:
        servers = {OURS: ours, PEER: peer}
        for process, address in servers.values():
            measure(process, address, 8, 0.5)
        for number in range(rounds):
            for concurrency in CONCURRENCIES:
                for name, (process, address) in servers.items():
                    measured = measure(process, address, concurrency, seconds)
                    blocks.append({"round": number, "server": name, "concurrency": concurrency, **measured})
    return blocks


def to_markdown(blocks: list[dict[str, Any]], where: dict[str, Any]) -> list[str]:
    """The table and the bar."""
    rows, bars = [], []
    for concurrency in CONCURRENCIES:
        cpu_us = {
            name: [one["cpu_us"] for one in blocks if one["server"] == name and one["concurrency"] == concurrency]
            for name in (OURS, PEER)
        }
        ratios = sorted(theirs / ours for ours, theirs in zip(cpu_us[OURS], cpu_us[PEER], strict=True))
        for name in (OURS, PEER):
            mine = [one for one in blocks if one["server"] == name and one["concurrency"] == concurrency]
            per_s = spread([one["per_s"] for one in mine])
            ratio = "1" if name == OURS else spread(ratios, 2)
            rows.append([name, str(concurrency), spread(cpu_us[name], 1), per_s, ratio])
        what = f"times {PEER}'s calls per server CPU second at concurrency {concurrency}"
        bars.append((what, ratios[len(ratios) // 2], LEAST_RATIO, "at least"))
    lines = heading(
        "gRPC: server CPU per call",
        where,
        "One `ModelInfer` of 64 FP32, raw, with an id, on that many connections in a closed loop.",
        f"Ours is the whole server; {PEER} parses, multiplies and answers, and does nothing else.",
    )
    lines += table(("server", "concurrency", "server CPU a call, µs", "calls per second", "ours is × this"), rows)
    return [*lines, *against_bars(bars), ""]


def main() -> None:
    """Measure, print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--serve", choices=(OURS, PEER), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve == OURS:
        serve_ours()
    elif options.serve == PEER:
        asyncio.run(serve_grpcio())
    else:
        where = conditions(options.rounds)
        blocks = run_rounds(options.rounds, options.seconds)
        keep("serve_grpc", to_markdown(blocks, where), {**where, "servers": blocks})


if __name__ == "__main__":
    main()
