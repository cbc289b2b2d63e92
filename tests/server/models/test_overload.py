"""Deadlines, priorities and hanging models over a real connection; gates decide when a model ends."""

import dataclasses
import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.server.gate import Gate

from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Deployment, Lane
from modeldyno.server.serving import ServedModel
from modeldyno.testing.running_server import Client, Compute, HttpReply, RunningServer, infer_request, make_model

Serving = Callable[..., RunningServer]
MS = 1_000_000


def deployment(batching: Batching | None = None, **settings: Any) -> Deployment:
    return Deployment(artifact="fake", runtime="onnxruntime", batching=batching or Batching(max_rows=8), **settings)


def slow_model(compute: Compute, settings: Deployment) -> ServedModel:
    return dataclasses.replace(make_model(compute), deployment=settings)


def ask_json(client: Client, value: float, **parameters: object) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [value, 0, 0, 0]}
    body = json.dumps({"parameters": parameters, "inputs": [tensor]}).encode()
    client.send(
        b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def error_of(reply: HttpReply) -> str:
    text: str = json.loads(reply.body)["error"]
    return text


def value_of(reply: HttpReply) -> float:
    assert reply.status == 200, reply.body
    value: float = json.loads(reply.body)["outputs"][0]["data"][0]
    return value


def wait_until_queued(server: RunningServer) -> None:
    with server.connect() as client:
        assert client.ask("GET", "/v2/health/live").status == 200


def test_a_request_gets_504_when_its_own_timeout_passes_and_the_others_their_answers(serving: Serving) -> None:
    gate = Gate()
    server = serving(slow_model(gate, deployment()))
    with server.connect() as first, server.connect() as hasty, server.connect() as mate:
        ask_json(first, 1)
        gate.wait_entered()
        ask_json(hasty, 2, timeout=20_000)
        ask_json(mate, 3)
        reply = hasty.read()
        assert (504, True) == (reply.status, "the deadline passed after" in error_of(reply))
        gate.passes.release(2)
        assert (1, 3) == (value_of(first.read()), value_of(mate.read()))
    server.stop()
    server.join()
    assert server.account is not None
    assert (3, 2, 1, 0) == (
        server.account.accepted,
        server.account.answered,
        server.account.expired,
        server.account.unaccounted,
    )


def test_the_servers_timeout_holds_for_those_that_ask_for_none_and_for_what_is_being_computed(serving: Serving) -> None:
    gate = Gate()
    server = serving(slow_model(gate, deployment(timeout_ns=20 * MS)))
    with server.connect() as client:
        ask_json(client, 1)
        gate.wait_entered()
        reply = client.read()
        assert (504, True) == (reply.status, "being computed" in error_of(reply))
        gate.passes.release()
        ask_json(client, 2, timeout=10**9)
        gate.wait_entered()
        assert client.read().status == 504
        gate.passes.release()


def test_a_higher_priority_is_computed_first(serving: Serving) -> None:
    gate = Gate()
    order: list[float] = []

    def compute(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        order.extend(np.asarray(inputs["x"], np.float32)[:, 0].tolist())
        return gate(inputs)

    batching = Batching(max_rows=1, lanes=(Lane(), Lane()), default_priority=2)
    server = serving(slow_model(compute, deployment(batching)))
    clients = []
    for value, parameters in ((1, {}), (2, {}), (3, {}), (9, {"priority": 1})):
        client = server.connect()
        clients.append(client)
        ask_json(client, value, **parameters)
        if value == 1:
            gate.wait_entered()
        wait_until_queued(server)
    gate.passes.release(4)
    for client in clients:
        assert client.read().status == 200
        client.close()
    assert [1, 9, 2, 3] == order


def test_a_model_that_hangs_is_told_to_its_clients_and_by_its_readiness_and_the_others_go_on(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    gate = Gate()
    server = serving(slow_model(gate, deployment(stall_limit_ns=30 * MS)), make_model(name="good"))
    with server.connect() as stuck, server.connect() as client:
        ask_json(stuck, 1)
        gate.wait_entered()
        reply = stuck.read()
        assert (503, "1") == (reply.status, reply.headers["retry-after"])
        assert client.ask("GET", "/v2/models/sums/ready").status == 503
        assert client.ask("GET", "/v2/health/live").status == 200
        ask_json(client, 2)
        assert "every instance of the model hangs" in error_of(client.read())
        client.send(infer_request([[1, 2, 3, 4]], model="good"))
        assert client.read().status == 200
    gate.passes.release()
    server.stop()
    server.join()
    assert server.account is not None
    assert (2, 1, 1, 0) == (
        server.account.accepted,
        server.account.answered,
        server.account.lost,
        server.account.unaccounted,
    )


def test_a_thousand_clients_that_go_away_leave_the_server_as_it_was(serving: Serving) -> None:
    gate = Gate()
    server = serving(slow_model(gate, deployment()), max_connections=2000)
    with server.connect() as first:
        ask_json(first, 1)
        gate.wait_entered()
        for _ in range(10):
            crowd = [server.connect() for _ in range(100)]
            for client in crowd:
                ask_json(client, 2)
            wait_until_queued(server)
            for client in crowd:
                client.close()
        wait_until_queued(server)
        gate.passes.release(2)
        assert value_of(first.read()) == 1
        ask_json(first, 5)
        assert value_of(first.read()) == 5
    server.stop()
    server.join()
    assert server.account is not None
    assert (1002, 2, 1000, 0) == (
        server.account.accepted,
        server.account.answered,
        server.account.cancelled,
        server.account.unaccounted,
    )
