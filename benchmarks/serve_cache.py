"""What the cache of answers costs a request that it does not answer, and saves one that it does.

    python benchmarks/serve_cache.py [--rounds 7] [--seconds 2] [--instances 1]

Over HTTP: two servers of the same model, one with a cache, on one core; the client, a closed loop of 8 connections, on
another. In turns: unlike requests without a cache, unlike requests with one (each is looked for, computed and kept),
and the same request again and again with one. What is compared is CPU time (user and system) of the server's process
a request, and each ratio is of one round. In process: the same through `ModelService.infer`, with a model that
computes next to nothing, so that what is left is the server's own work.
"""

import argparse
import contextlib
import gc
import itertools
import os
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import uvloop
from closed_loop import run_closed_loop
from conditions import conditions, heading, keep, spread, table, two_cores
from running import running_server

from modeldyno.clock import SystemClock
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Cache, Deployment
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.runtimes.onnx_runtime import OnnxRuntime
from modeldyno.server.call import Answer, Refusal
from modeldyno.server.models.service import ModelService, ServedModel
from modeldyno.server.network.doors import Urls
from modeldyno.server.serving import serve
from modeldyno.server.tally import Tally
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.manual_loop import ManualLoop
from modeldyno.testing.sessions import FunctionSession
from modeldyno.wire.v2_client import encode_infer_request

HERE = Path(__file__).parent
CONCURRENCY = 8
CACHE_BYTES = 64 * 10**6
FEATURES = (64, 12_288)
"""A row of digits, and an image of 3 × 64 × 64."""
CASES = ("no cache, unlike", "cache, unlike", "cache, the same")
BASE = CASES[0]


class Figure(NamedTuple):
    """One case in one round."""

    where: str
    features: int
    case: str
    round: int
    us: float
    """CPU time a request."""


def signature_of(features: int) -> Signature:
    """One row of numbers in, ten out."""
    return Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", features)),),
        outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=("batch", 10)),),
    )


def write_model(path: Path, features: int) -> None:
    """A network of one layer, with any weights: how right it is does not matter here."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.random.default_rng(1).normal(size=(features, 10)).astype(np.float32) / features
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["probabilities"], axis=-1),
        ],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", features])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(weights, "w")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def deployment_of(cache_bytes: int, instances: int) -> Deployment:
    """With batches of up to 32."""
    return Deployment(
        artifact="layer",
        runtime="onnxruntime",
        instances=instances,
        batching=Batching(max_rows=32),
        cache=Cache(max_bytes=cache_bytes),
    )


def serve_layer(model: str, features: str, cache_bytes: str, instances: str) -> None:
    """Serve until told to stop."""
    deployment, signature = deployment_of(int(cache_bytes), int(instances)), signature_of(int(features))
    sessions = [OnnxRuntime().open(Path(model), signature, deployment.session) for _ in range(deployment.instances)]
    served = ServedModel(
        name="layer", version="1", platform="onnx_onnxv1", signature=signature, sessions=sessions, deployment=deployment
    )

    def announce(urls: Urls) -> None:
        print(urls["main"].rpartition(":")[2], os.getpid(), flush=True)

    serve([served], ServerSettings(port=0), clock=SystemClock(), on_ready=announce)


class Requests:
    """Requests that differ in their first two numbers."""

    def __init__(self, features: int) -> None:
        row = np.random.default_rng(2).normal(size=(1, features)).astype(np.float32)
        self.body, header_length = encode_infer_request({"x": row}, signature_of(features))
        if header_length is None:
            raise ValueError("a binary request has a header")
        self.header_length = header_length
        self._before = bytes(self.body[: self.header_length])
        self._after = bytes(self.body[self.header_length + 8 :])
        self._numbers = itertools.count()

    def unlike(self) -> bytes:
        """One that was not there before."""
        number = next(self._numbers)
        changed = struct.pack("<ff", number % 2**24, number // 2**24)
        return b"".join([self._before, changed, self._after])


def measure_over_http(directory: Path, options: argparse.Namespace) -> Iterator[Figure]:
    """Both servers of each model stand while they are measured in turns."""
    server_core, client_core = two_cores()
    os.sched_setaffinity(0, {client_core})
    for features in FEATURES:
        model = directory / f"{features}.onnx"
        write_model(model, features)
        requests = Requests(features)
        with contextlib.ExitStack() as stack:
            servers = {}
            for cache_bytes in (0, CACHE_BYTES):
                words = ["serve", str(model), str(features), str(cache_bytes), str(options.instances)]
                said = stack.enter_context(running_server(__file__, *words, core=server_core))
                port, pid = map(int, said.split())
                servers[cache_bytes] = (port, psutil.Process(pid))
            for number in range(-1, options.rounds):  # one round to warm up, which also fills the cache
                for case in CASES:
                    port, server = servers[0 if case == BASE else CACHE_BYTES]
                    us = _cpu_us(port, server, requests, is_same=case.endswith("the same"), seconds=options.seconds)
                    if number >= 0:
                        yield Figure("HTTP", features, case, number, us)


def _cpu_us(port: int, server: psutil.Process, requests: Requests, *, is_same: bool, seconds: float) -> float:
    head = (
        f"POST /v2/models/layer/infer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(requests.body)}\r\n"
        f"Inference-Header-Content-Length: {requests.header_length}\r\n\r\n"
    ).encode()
    same = head + requests.body
    before_s = _cpu_s(server)
    answers, _ = uvloop.run(
        run_closed_loop(
            port,
            same if is_same else lambda: head + requests.unlike(),
            concurrency=CONCURRENCY,
            seconds=seconds,
        )
    )
    return 1e6 * (_cpu_s(server) - before_s) / answers


def _cpu_s(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system)


def measure_in_process(options: argparse.Namespace) -> Iterator[Figure]:
    """Through the service, without sockets, in turns of some thousand requests."""
    for features in FEATURES:
        requests, count = Requests(features), options.requests if features < 1000 else options.requests // 10
        asks = {cache_bytes: _in_process(features, cache_bytes, requests) for cache_bytes in (0, CACHE_BYTES)}
        for number in range(-1, options.rounds):
            for case in CASES:
                ask = asks[0 if case == BASE else CACHE_BYTES]
                bodies = [bytes(requests.body) if case.endswith("same") else requests.unlike() for _ in range(count)]
                gc.collect()
                began_ns = time.process_time_ns()
                for body in bodies:
                    ask(body)
                us = (time.process_time_ns() - began_ns) / 1e3 / count
                if number >= 0:
                    yield Figure("in process", features, case, number, us)


def _in_process(features: int, cache_bytes: int, requests: Requests) -> Callable[[bytes], None]:
    answer = np.zeros((1, 10), np.float32)

    def compute(_: Tensors) -> dict[str, Any]:
        return {"probabilities": answer}

    signature = signature_of(features)
    model = ServedModel(
        name="layer",
        version="1",
        platform="fake",
        signature=signature,
        sessions=[FunctionSession(signature, compute)],
        deployment=deployment_of(cache_bytes, 1),
    )
    loop, clock = ManualLoop(ManualClock()), SystemClock()
    replies: list[Answer | Refusal] = []
    service = ModelService(model, loop=loop, clock=clock, tally=Tally())

    def ask(body: bytes) -> None:
        service.infer(body, requests.header_length, started_ns=clock.now_ns(), reply=replies.append)
        loop.run()
        while not replies:
            loop.wait_for_thread()  # until it is known how long the model takes
        replies.clear()

    for _ in range(100):
        ask(requests.unlike())
    return ask


def summarise(figures: list[Figure]) -> list[dict[str, Any]]:
    """CPU a request, and its ratio to the case without a cache in the same round."""
    rows = []
    for where, features, case in dict.fromkeys((one.where, one.features, one.case) for one in figures):
        mine = {one.round: one.us for one in figures if (one.where, one.features, one.case) == (where, features, case)}
        base = {one.round: one.us for one in figures if (one.where, one.features, one.case) == (where, features, BASE)}
        ratios = [mine[number] / base[number] for number in mine]
        rows.append(
            {
                "where": where,
                "features": features,
                "case": case,
                "cpu_us": statistics.median(mine.values()),
                "added_us": [mine[number] - base[number] for number in mine],
                "ratio": ratios,
            }
        )
    return rows


def to_markdown(rows: list[dict[str, Any]], where: dict[str, Any], options: argparse.Namespace) -> list[str]:
    """The table with its conditions."""
    first = heading(
        "The cache: CPU a request",
        where,
        f"Over HTTP: {CONCURRENCY} connections, {options.seconds:g} s a block, instances: {options.instances}.",
        "Added, and ratio: to no cache, in the same round.",
    )
    columns = ("where", "numbers a row", "case", "CPU a request, µs", "added, µs", "ratio")
    cells = [
        (
            str(row["where"]),
            f"{row['features']:,}",
            str(row["case"]),
            f"{row['cpu_us']:.1f}",
            spread(row["added_us"], 1),
            spread(row["ratio"], 2),
        )
        for row in rows
    ]
    return [*first, *table(columns, cells), ""]


def main() -> None:
    """Measure, print the table, and keep it."""
    if sys.argv[1:2] == ["serve"]:
        serve_layer(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one block over HTTP")
    parser.add_argument("--requests", type=int, default=10_000, help="of a block in process")
    parser.add_argument("--instances", type=int, default=1, help="of each server")
    parser.add_argument("--only", choices=("http", "process"), help="measure only there")
    parser.add_argument("--no-keep", action="store_true", help="print the table and do not keep it")
    options = parser.parse_args()
    figures: list[Figure] = []
    if options.only != "http":
        figures += measure_in_process(options)
    if options.only != "process":
        with tempfile.TemporaryDirectory() as directory:
            figures += measure_over_http(Path(directory), options)
    rows = summarise(figures)
    where = conditions(options.rounds)
    lines = to_markdown(rows, where, options)
    if options.no_keep:
        print("\n".join(lines))
    else:
        keep("serve_cache", lines, {**where, "results": rows, "figures": [one._asdict() for one in figures]})


if __name__ == "__main__":
    main()
