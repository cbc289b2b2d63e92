"""The commands of docs/howto/update-a-model-without-downtime.md, under load: no request fails."""

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pytest

from modeldyno.api.served.server_process import ServerProcess
from modeldyno.clock import SystemClock
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.bundles import write_echo_bundle
from modeldyno.testing.running_server import Client, http_request
from modeldyno.wire.v2_client import encode_infer_request

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch", 2)),),
)
CLIENTS = 4
LOAD, UNLOAD = (f"/v2/repository/models/digits/{verb}" for verb in ("load", "unload"))


class Answered(NamedTuple):
    status: int
    version: str
    value: float


class ClosedLoop:
    """Clients that ask again as soon as they are answered, until the block is left."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]
        self.answers: list[list[Answered]] = [[] for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(60)

    def wait_for(self, version: str, *, more: int = 20) -> None:
        """Wait until every client got so many further answers, the last of them from this version."""
        before = [len(answers) for answers in self.answers]
        patience = threading.Event()
        for _ in range(6000):
            if all(
                len(answers) >= start + more and answers[-1].version == version
                for start, answers in zip(before, self.answers, strict=True)
            ):
                return
            patience.wait(0.01)
        raise TimeoutError(f"version {version} did not answer every client within 60 s")

    def _run(self, number: int) -> None:
        with connect(self._port) as client:
            while not self._is_over.is_set():
                self.answers[number].append(infer(client))


def connect(port: int) -> Client:
    return Client(socket.create_connection(("127.0.0.1", port), timeout=60))


def infer(client: Client) -> Answered:
    body, length = encode_infer_request({"x": np.ones((1, 2), np.float32)}, SIGNATURE)
    client.send(http_request("POST", "/v2/models/digits/infer", body, Inference_Header_Content_Length=str(length)))
    reply = client.read()
    if reply.status != 200:
        return Answered(reply.status, "", 0)
    length = int(reply.headers["inference-header-content-length"])
    return Answered(
        200, json.loads(reply.body[:length])["model_version"], float(np.frombuffer(reply.body[length:], np.float32)[0])
    )


def admin(port: int, path: str) -> tuple[int, Any]:
    with connect(port) as client:
        reply = client.ask("POST", path)
        return reply.status, json.loads(reply.body)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def ports(models: Path, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Of a server of the repository, which begins with version 1 of `digits`: the main one and that of the admin."""
    write_echo_bundle(models / "digits" / "1", name="made-elsewhere")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        admin_port = free.getsockname()[1]
    words = ["serve", "--repository", str(models), "--port", "0", "--admin-port", str(admin_port), "--json"]
    with ServerProcess("modeldyno", words, log=tmp_path / "log", clock=SystemClock()) as server:
        ready = json.loads(server.first_line)
        assert [{"name": "digits", "version": "1"}] == ready["models"]
        yield int(ready["url"].rpartition(":")[2]), admin_port


def test_versions_change_under_load_without_a_failed_request(ports: tuple[int, int], models: Path) -> None:
    port, admin_port = ports
    with ClosedLoop(port) as loop:
        loop.wait_for("1")
        write_echo_bundle(models / "digits" / ".2", factor=2)
        (models / "digits" / ".2").rename(models / "digits" / "2")
        assert (200, {}) == admin(admin_port, LOAD)
        loop.wait_for("2")

        shutil.copytree(models / "digits" / "2", models / "digits" / "3")
        (models / "digits" / "3" / "model.onnx").write_bytes(b"damaged")
        status, answer = admin(admin_port, LOAD)
        assert 400 == status
        assert "not the file that was bundled" in answer["error"]
        loop.wait_for("2")

        shutil.rmtree(models / "digits" / "3")
        (models / "digits" / "2").rename(models / "digits" / ".2")
        assert (200, {}) == admin(admin_port, LOAD)
        loop.wait_for("1")
    for answers in loop.answers:
        assert {(200, "1", 1.0), (200, "2", 2.0)} == set(answers)
        changes = [(one.version, two.version) for one, two in pairwise(answers) if one.version != two.version]
        assert [("1", "2"), ("2", "1")] == changes


def test_an_unloaded_model_says_so_and_comes_back(ports: tuple[int, int]) -> None:
    port, admin_port = ports
    with connect(port) as client:
        assert (200, "1", 1.0) == infer(client)
        assert (200, {}) == admin(admin_port, UNLOAD)
        assert 404 == infer(client).status
        assert [{"name": "digits", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"}] == admin(
            admin_port, "/v2/repository/index"
        )[1]
        assert (200, {}) == admin(admin_port, LOAD)
        assert (200, "1", 1.0) == infer(client)
