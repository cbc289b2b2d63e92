"""`modeldyno.testing.null_grpc_server`, read by the ordinary clients."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton

from modeldyno.clock import SystemClock
from modeldyno.loadgen.dialects.v2_grpc import model_signature, only_model
from modeldyno.loadgen.grpc_caller import GrpcCaller
from modeldyno.testing.null_server import SIGNATURE


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "modeldyno.testing.null_grpc_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("grpc://127.0.0.1:")
        try:
            yield url.removeprefix("grpc://")
        finally:
            process.terminate()
        assert process.wait(30) == 0


def test_the_ordinary_client_finds_the_model_and_is_answered(address: str) -> None:
    client = triton.InferenceServerClient(address)
    try:
        assert "input" == client.get_model_metadata("null").inputs[0].name
        assert ["null"] == [model.name for model in client.get_model_repository_index().models]
        tensor = triton.InferInput("input", [1, 64], "FP32")
        tensor.set_data_from_numpy(np.zeros((1, 64), np.float32))
        for _ in range(200):
            answer = client.infer("null", [tensor]).as_numpy("output")
    finally:
        client.close()

    assert (1, 10) == answer.shape


def test_a_method_that_it_does_not_have_is_unimplemented(address: str) -> None:
    client = triton.InferenceServerClient(address)
    try:
        with pytest.raises(triton.InferenceServerException, match="the null server knows"):
            client.get_server_metadata()
    finally:
        client.close()


def test_questions_larger_than_any_window_are_read(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for _ in range(3):
            assert call(bytes(40_000_000), timeout=60)


def test_our_own_client_finds_its_model(address: str) -> None:
    caller = GrpcCaller(f"grpc://{address}", clock=SystemClock())

    assert "null" == only_model(caller)
    assert SIGNATURE == model_signature(caller, "null")


@pytest.mark.parametrize(
    "noise", (b"GET / HTTP/1.1\r\n\r\n" + bytes(30), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 50)
)
def test_who_does_not_speak_http2_is_sent_away(address: str, noise: bytes) -> None:
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(noise)
        while connection.recv(1_000):
            pass
