"""NVIDIA's perf_analyzer profiles our server over HTTP and gRPC, and counts what we count.

It comes in a wheel of tritonclient, into an environment of its own that `benchmarks/environments.py` makes.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from environments import NotInstallableError, need_library, peer_program

from modeldyno.records.server import ServerSettings
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.testing.sessions import echo, echo_signature

REQUESTS = 500
USERS = 4
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def perf_analyzer() -> tuple[str, dict[str, str]]:
    """The program, and the environment that it needs."""
    try:
        program = peer_program("triton", "perf_analyzer")
        need_library("b64", "libb64-0d")
    except NotInstallableError as problem:
        pytest.skip(f"perf_analyzer cannot be had: {problem}")
    cuda = next(Path(program).parent.parent.glob("lib/python3*/site-packages/nvidia/cuda_runtime/lib"))
    return program, {**os.environ, "LD_LIBRARY_PATH": str(cuda)}


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with RunningServer(make_model(max_rows=8), settings=ServerSettings(port=0, grpc_port=0)) as running:
        yield running


def counted(server: RunningServer) -> tuple[int, int]:
    """Rows and requests that were answered."""
    (service,) = server._server._plane
    statistics = service.statistics()
    return statistics.inference_count, statistics.success.count


@pytest.mark.parametrize(
    ("protocol", "options"),
    (
        ("http", ()),
        ("http", ("--input-tensor-format=json", "--output-tensor-format=json")),
        ("http", ("--collect-metrics", "--metrics-interval=200")),
        ("http", ("-b", "4")),
        ("grpc", ()),
        ("grpc", ("-b", "4", "--streaming")),
        ("grpc", ("-b", "4")),
        ("grpc", ("--request-parameter", "priority:1:int", "--request-parameter", "timeout:60000000:int")),
    ),
)
def test_perf_analyzer_profiles_the_server_and_counts_the_same(
    server: RunningServer, perf_analyzer: tuple[str, dict[str, str]], protocol: str, options: tuple[str, ...]
) -> None:
    program, environment = perf_analyzer
    address = server.address if protocol == "http" else server.grpc_address
    metrics = ("--metrics-url", f"{server.url}/metrics") if "--collect-metrics" in options else ()
    load = ("--concurrency-range", str(USERS), "--request-count", str(REQUESTS))
    command = [program, "-m", "sums", "-u", address, "-i", protocol, *load, *options, *metrics]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    rows_each = int(options[1]) if options[:1] == ("-b",) else 1
    rows, requests = counted(server)
    client = int(found(r"Client:.*?Request count: (\d+)", done.stdout))
    inferred = int(found(r"Server:.*?Inference count: (\d+)", done.stdout))
    successes = int(found(r"Server:.*?Successful request count: (\d+)", done.stdout))
    assert REQUESTS == client
    # It reads our statistics while its first and last requests are on their way.
    assert abs(client - successes) <= 2 * USERS
    assert successes * rows_each == inferred
    assert requests >= client
    assert requests * rows_each == rows


def test_the_timeout_that_perf_analyzer_gives_its_requests_is_kept(
    server: RunningServer, perf_analyzer: tuple[str, dict[str, str]]
) -> None:
    program, environment = perf_analyzer
    # Over HTTP it sends no parameters.
    limit = ("--request-parameter", "timeout:1:int", "--request-count", "10")
    command = [program, "-m", "sums", "-u", server.grpc_address, "-i", "grpc", *limit]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert "the deadline had passed" in done.stdout + done.stderr
    assert (0, 0) == counted(server)


@pytest.mark.parametrize("protocol", ("http", "grpc"))
def test_perf_analyzer_profiles_a_model_of_bf16(perf_analyzer: tuple[str, dict[str, str]], protocol: str) -> None:
    program, environment = perf_analyzer
    model = make_model(echo, echo_signature("BF16"), name="brain", max_rows=8)
    with RunningServer(model, settings=ServerSettings(port=0, grpc_port=0)) as server:
        address = server.address if protocol == "http" else server.grpc_address
        command = [program, "-m", "brain", "-u", address, "-i", protocol, "--request-count", str(REQUESTS)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
        assert 0 == done.returncode, done.stdout + done.stderr
        rows, requests = counted(server)
    assert REQUESTS == int(found(r"Client:.*?Request count: (\d+)", done.stdout))
    assert rows == requests >= REQUESTS


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.DOTALL)
    assert match is not None, text
    return match[1]
