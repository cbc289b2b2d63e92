"""Requests are merged, split and queued as the deployment says; gates and not clocks decide when a model ends."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.server.gate import Gate

from modeldyno.protocols import Tensors
from modeldyno.testing.running_server import Client, HttpReply, RunningServer, infer_request, make_model
from modeldyno.testing.sessions import FunctionSession, echo_signature

Serving = Callable[..., RunningServer]


def answer_of(reply: HttpReply) -> list[float]:
    assert reply.status == 200, reply.body
    header_length = int(reply.headers["inference-header-content-length"])
    values: list[float] = np.frombuffer(reply.body[header_length:], np.float32).tolist()
    return values


def rows_of(index: int, count: int) -> list[list[float]]:
    return [[100 * index + row, 0, 0, 0] for row in range(count)]


def wait_until_queued(server: RunningServer) -> None:
    """Requests are read in the order they arrive; once a later one is answered, they are queued."""
    with server.connect() as client:
        assert client.ask("GET", "/v2/health/live").status == 200


def send_behind_a_gate(server: RunningServer, gate: Gate, counts: list[int]) -> list[Client]:
    """One request is being computed; these wait behind it, in this order, each on its own connection."""
    first = server.connect()
    first.send(infer_request(rows_of(9, 1)))
    gate.wait_entered()
    clients = [first]
    for index, count in enumerate(counts):
        client = server.connect()
        client.send(infer_request(rows_of(index, count)))
        wait_until_queued(server)
        clients.append(client)
    return clients


def test_merged_requests_get_the_answers_they_would_get_alone(serving: Serving) -> None:
    gate = Gate()
    model = make_model(gate, max_rows=8)
    clients = send_behind_a_gate(serving(model), gate, [1, 3, 2])
    gate.passes.release(2)
    for client, (index, count) in zip(clients, [(9, 1), (0, 1), (1, 3), (2, 2)], strict=True):
        assert [100.0 * index + row for row in range(count)] == answer_of(client.read())
        client.close()
    (session,) = model.sessions
    assert isinstance(session, FunctionSession)
    assert session.batches == [1, 6]


@pytest.mark.parametrize(
    ("max_rows", "batches"), ((1, [1, 3, 3, 9, 1]), (4, [1, 3, 3, 9, 1]), (6, [1, 6, 9, 1]), (100, [1, 16]))
)
def test_batches_keep_the_row_limit_and_the_order_and_never_split(
    serving: Serving, max_rows: int, batches: list[int]
) -> None:
    gate = Gate()
    model = make_model(gate, max_rows=max_rows)
    clients = send_behind_a_gate(serving(model), gate, [3, 3, 9, 1])
    gate.passes.release(10)
    for client in clients:
        assert client.read().status == 200
        client.close()
    (session,) = model.sessions
    assert isinstance(session, FunctionSession)
    assert batches == session.batches


def test_requests_of_different_row_shapes_are_not_merged(serving: Serving) -> None:
    seen: list[tuple[int, ...]] = []
    gate = Gate()

    def look(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        seen.append(inputs["x"].shape)
        gate(inputs)
        return {"y": inputs["x"]}

    signature = echo_signature("FP32", ("batch", "length"))
    server = serving(make_model(look, signature, max_rows=8))
    clients: list[Client] = []
    for length in (1, 2, 3, 2, 3):
        client = server.connect()
        client.send(infer_request([[1.0] * length], signature))
        if not clients:
            gate.wait_entered()
        wait_until_queued(server)
        clients.append(client)
    gate.passes.release(10)
    for client in clients:
        assert client.read().status == 200
        client.close()
    assert [(1, 1), (2, 2), (2, 3)] == seen


def test_instances_compute_at_the_same_time(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate, instances=2))
    with server.connect() as one, server.connect() as two:
        one.send(infer_request(rows_of(1, 1)))
        two.send(infer_request(rows_of(2, 1)))
        gate.wait_entered()
        gate.wait_entered()
        gate.passes.release(2)
        assert [100.0] == answer_of(one.read())
        assert [200.0] == answer_of(two.read())


def test_an_idle_instance_waits_for_company_only_as_long_as_it_may(serving: Serving) -> None:
    model = make_model(max_rows=2, max_delay_ns=3600 * 10**9)
    server = serving(model)
    with server.connect() as one, server.connect() as two:
        one.send(infer_request(rows_of(1, 1)))
        wait_until_queued(server)
        two.send(infer_request(rows_of(2, 1)))
        assert [100.0] == answer_of(one.read())
        assert [200.0] == answer_of(two.read())
    (session,) = model.sessions
    assert isinstance(session, FunctionSession)
    assert session.batches == [2]


def test_a_lonely_request_is_answered_when_the_delay_is_over(serving: Serving) -> None:
    server = serving(make_model(max_rows=2, max_delay_ns=3 * 10**6))
    with server.connect() as client:
        for _ in range(3):
            client.send(infer_request(rows_of(1, 1)))
            assert [100.0] == answer_of(client.read())


def test_health_is_answered_while_a_model_computes(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate))
    with server.connect() as client, server.connect() as other:
        client.send(infer_request(rows_of(1, 1)))
        gate.wait_entered()
        assert other.ask("GET", "/v2/health/ready").status == 200
        gate.passes.release()
        assert [100.0] == answer_of(client.read())


def test_a_full_queue_is_503_with_the_time_to_come_back(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate, max_queued_rows=4))
    clients = send_behind_a_gate(server, gate, [2, 2])
    with server.connect() as late:
        late.send(infer_request(rows_of(1, 1)))
        reply = late.read()
        assert reply.status == 503
        assert int(reply.headers["retry-after"]) >= 1
        gate.passes.release(10)
        for client in clients:
            assert client.read().status == 200
            client.close()
        late.send(infer_request(rows_of(1, 1)))
        assert [100.0] == answer_of(late.read())
    server.stop()
    server.join()
    assert server.account is not None
    assert (4, 4, 1) == (server.account.accepted, server.account.answered, server.account.refused)


def test_a_client_that_goes_away_gives_its_place_in_the_queue_back(serving: Serving) -> None:
    gate = Gate()
    model = make_model(gate, max_queued_rows=2)
    server = serving(model)
    computed, queued = send_behind_a_gate(server, gate, [2])
    queued.close()
    wait_until_queued(server)
    with server.connect() as client:
        client.send(infer_request(rows_of(1, 2)))
        gate.passes.release(10)
        assert [100.0, 101.0] == answer_of(client.read())
    assert computed.read().status == 200
    computed.close()
    server.stop()
    server.join()
    assert server.account is not None
    assert (3, 2, 1) == (server.account.accepted, server.account.answered, server.account.cancelled)
    (session,) = model.sessions
    assert isinstance(session, FunctionSession)
    assert session.batches == [1, 2]


def test_a_batch_that_fails_fails_its_own_requests_only(serving: Serving) -> None:
    gate = Gate()

    def refuse_negative(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        outputs = gate(inputs)
        if (np.asarray(inputs["x"], np.float32) < 0).any():
            raise ValueError
        return outputs

    server = serving(make_model(refuse_negative))
    with server.connect() as one, server.connect() as bad, server.connect() as two:
        one.send(infer_request(rows_of(1, 1)))
        gate.wait_entered()
        bad.send(infer_request([[-1, 0, 0, 0]]))
        two.send(infer_request(rows_of(2, 1)))
        gate.passes.release(3)
        assert [100.0] == answer_of(one.read())
        assert bad.read().status == 500
        assert [200.0] == answer_of(two.read())
