"""What a client can do to the server by HTTP: it gets the right status, others are served, and nothing is left over."""

import gc
import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeldyno.records.server import ServerSettings
from modeldyno.testing.running_server import Client, RunningServer, http_request, infer_request, make_model
from modeldyno.wire.v2_client import decode_infer_response

Serving = Callable[..., RunningServer]
INFER = "/v2/models/sums/infer"
HEAD = f"POST {INFER} HTTP/1.1\r\nHost: h\r\n".encode()
SMUGGLED = b"GET /v2 HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT_NS = 50_000_000
MAX_BODY = 100_000


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer(make_model(max_rows=4), settings=ServerSettings(port=0, max_body_bytes=MAX_BODY)) as running:
        yield running


def check_served(server: RunningServer) -> None:
    """A plain request gets its own answer."""
    with server.connect() as client:
        client.send(infer_request([[1, 2, 3, 4]]))
        reply = client.read()
        length = int(reply.headers["inference-header-content-length"])
        assert [10.0] == decode_infer_response(reply.body, length)["sum"].tolist()


def wait_alone(server: RunningServer, client: Client) -> None:
    """Until the server has no connection but this one; each question gives its loop a turn."""
    listener = server._server.listeners["main"]
    for _ in range(5000):
        if len(listener.connections) <= 1:
            return
        client.ask("GET", "/v2/health/live")
    raise AssertionError(f"{len(listener.connections)} connections are left")


@pytest.mark.parametrize(
    ("data", "status"),
    (
        (HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /v2 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Content-Length: 0\r\nContent-Length: 28\r\n\r\n", 400),
        (HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Content-Length: 0, 28\r\n\r\n", 400),
        (HEAD + b"Content-Length: +28\r\n\r\n", 400),
        (HEAD + b"Content-Length: 0x1c\r\n\r\n", 400),
        (HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n", 400),
        (HEAD + b"Content-Length: 9999999999\r\n\r\n", 413),
        (HEAD + b"X: a\r\n Content-Length: 28\r\n\r\n", 400),
        (HEAD + b"X: a\nContent-Length: 28\r\n\r\n", 400),
        (HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 28\n\n", 400),
        (HEAD + b"X: a\rContent-Length: 28\r\n\r\n", 400),
        (HEAD + b"X: a\0b\r\n\r\n", 400),
        (HEAD + b"Host: other\r\nContent-Length: 0\r\n\r\n", 400),
        (CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n", 400),
        (CHUNKED + b"-1\r\nx\r\n0\r\n\r\n", 400),
        (CHUNKED + b"fffffffffffffffff\r\nx", 400),
        (CHUNKED + b"1\nx\n0\n\n", 400),
        (CHUNKED + b"1\r\nxy\r\n0\r\n\r\n", 400),
        (CHUNKED + b"1;a\nb\r\nx\r\n0\r\n\r\n", 400),
        (CHUNKED + b"0\r\nContent-Length: 28\r\n\r\n", 400),
        (CHUNKED + b"40000\r\n" + bytes(0x40000), 413),
        (CHUNKED + b"1\r\nx\r\n" * 70_000 + b"0\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(200)) + b"\r\n", 431),
        (HEAD + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 200000\r\n\r\n", 413),
        (HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", 415),
    ),
)
def test_what_could_smuggle_a_request_ends_the_connection(server: RunningServer, data: bytes, status: int) -> None:
    with server.connect() as client:
        client.send(data + SMUGGLED)
        reply = client.read()
        assert (status, "close") == (reply.status, reply.headers["connection"])
        assert json.loads(reply.body)["error"]
        assert client.is_ended()
    check_served(server)


def test_a_bomb_is_refused_while_it_expands(server: RunningServer) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < MAX_BODY
    with server.connect() as client:
        client.send(http_request("POST", INFER, bomb, Content_Encoding="gzip"))
        reply = client.read()
    assert (413, True) == (reply.status, b"expanded" in reply.body)
    check_served(server)


def tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4], **changes}


@pytest.mark.parametrize(
    "document",
    (
        [],
        {},
        {"inputs": []},
        {"inputs": None},
        {"inputs": [[]]},
        {"inputs": [tensor(), tensor()]},
        {"inputs": [tensor(name="y")]},
        {"inputs": [tensor(name="x" * 90_000)]},
        {"inputs": [tensor(datatype="FP64")]},
        {"inputs": [tensor(datatype="fp32")]},
        {"inputs": [tensor(shape=[4])]},
        {"inputs": [tensor(shape=[1, 2, 2])]},
        {"inputs": [tensor(shape=[-1, 4])]},
        {"inputs": [tensor(shape=[2**62, 4])]},
        {"inputs": [tensor(shape=[1.5, 4])]},
        {"inputs": [tensor(shape=[2] * 20_000)]},
        {"inputs": [tensor(data=[1, 2, 3])]},
        {"inputs": [tensor(data=[[1, 2], [3, 4]])]},
        {"inputs": [tensor(data=[1, [2, 3, 4]])]},
        {"inputs": [tensor(data=["1", 2, 3, 4])]},
        {"inputs": [tensor(data=[float("nan"), 2, 3, 4])]},
        {"inputs": [tensor(data=[float("inf"), 2, 3, 4])]},
        {"inputs": [tensor(data=[1e39, 2, 3, 4])]},
        {"inputs": [tensor(data={"0": 1})]},
        {"inputs": [tensor(data="AAAA")]},
        {"inputs": [tensor(parameters={"binary_data_size": 16})]},
        {"inputs": [tensor()], "outputs": [{"name": "none"}]},
        {"inputs": [tensor()], "outputs": [{"name": "sum"}] * 2},
        {"inputs": [tensor()], "outputs": [{}]},
        {"inputs": [tensor()], "id": 7},
        {"inputs": [tensor()], "parameters": {"timeout": "soon"}},
        {"inputs": [tensor()], "junk": json.loads("[" * 200 + "]" * 200)},
    ),
)
def test_json_that_does_not_fit_is_400_and_the_connection_goes_on(server: RunningServer, document: Any) -> None:
    with server.connect() as client:
        reply = client.ask("POST", INFER, json.dumps(document).encode())
        assert (400, True) == (reply.status, len(reply.body) < 10_000)
        assert json.loads(reply.body)["error"]
        assert 200 == client.ask("POST", INFER, json.dumps({"inputs": [tensor()]}).encode()).status


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
NUMBERS = st.lists(st.integers(-5, 5) | st.floats(-5, 5), min_size=4, max_size=4)
PARAMETERS = st.dictionaries(
    st.sampled_from(["binary_data_size", "binary_data", "classification", "timeout", "priority", "other"]),
    SCALARS,
    max_size=2,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", "x", "x", "y", "data"]) | ANYTHING,
        "datatype": st.sampled_from(["FP32", "FP32", "FP32", "BYTES", "BF16"]) | ANYTHING,
        "shape": st.sampled_from([[1, 4], [1, 4], [2, 4], [4]]) | st.lists(st.integers(-1, 9)) | ANYTHING,
        "data": NUMBERS | st.lists(NUMBERS, max_size=2) | ANYTHING,
        "parameters": PARAMETERS | ANYTHING,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=2) | ANYTHING},
    optional={
        "id": st.text(max_size=5) | ANYTHING,
        "parameters": PARAMETERS | ANYTHING,
        "outputs": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["sum", "none"])}, optional={"parameters": PARAMETERS}),
            max_size=2,
        )
        | ANYTHING,
        "data": NUMBERS,
    },
)


@settings(deadline=None)
@given(document=DOCUMENTS, tail=st.binary(max_size=20), length=st.none() | st.integers(-2, 5))
def test_any_document_is_answered_or_refused_with_a_reason(
    server: RunningServer, document: Any, tail: bytes, length: int | None
) -> None:
    body = json.dumps(document).encode()
    headers = {} if length is None else {"Inference_Header_Content_Length": str(len(body) + length)}
    with server.connect() as client:
        reply = client.ask("POST", INFER, body + tail, **headers)
        assert reply.status in {200, 400}
        if reply.status == 400:
            assert json.loads(reply.body)["error"]
        assert 200 == client.ask("GET", "/v2/health/ready").status


@settings(deadline=None)
@given(
    data=st.binary(max_size=200), start=st.sampled_from([b"", b"GET /v2", HEAD, CHUNKED, HEAD + b"Content-Length: 5"])
)
def test_any_bytes_end_in_an_answer_or_in_waiting_for_more(server: RunningServer, data: bytes, start: bytes) -> None:
    with server.connect() as client:
        client.send(start + data)
        client.half_close()
        received = client.read_all()
    assert not received or received.startswith(b"HTTP/1.1 ")
    assert b" 500 " not in received


def test_half_open_slow_and_vanished_clients_leave_nothing_behind(serving: Serving) -> None:
    server = serving(make_model(), read_timeout_ns=SHORT_NS, idle_timeout_ns=SHORT_NS)
    whole = infer_request([[1, 2, 3, 4]])
    clients = []
    for part in (b"", b"P", whole[:-1], HEAD + b"Content-Length: 10\r\n\r\n", CHUNKED + b"5\r\nab", whole):
        for _ in range(10):
            clients.append(server.connect())
            clients[-1].send(part)
    for client in clients[::2]:
        client.close()
    check_served(server)
    for client in clients[1::2]:
        client.read_all()  # ends when the server ends the connection
        client.close()
    with serving(make_model()).connect() as other:
        assert 200 == other.ask("GET", "/v2").status
    server.stop()
    server.join()
    assert server.account is not None
    assert 0 == server.account.unaccounted
    assert not server._server.listeners["main"].connections


def test_refused_requests_leave_no_memory_behind(serving: Serving) -> None:
    server = serving(make_model(), max_body_bytes=3_000_000)
    bodies = [
        b'{"inputs":[' + b"[" * 1_000_000,
        b'"data":[],' * 100_000,
        b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[%b1]}]}' % (b"1," * 1_000_000),
        b'{"inputs":[{"name":"%b"}]}' % (b"x" * 2_000_000),
        gzip.compress(bytes(2_900_000), mtime=0),
    ]

    def attack(rounds: int) -> None:
        for number in range(rounds):
            for body in bodies:
                coding = {"Content_Encoding": "gzip"} if body is bodies[-1] else {}
                with server.connect() as client:
                    reply = client.ask("POST", INFER, body + b" " * number, **coding)
                    assert reply.status in {400, 413}

    attack(1)
    gc.collect()
    tracemalloc.start()
    try:
        attack(2)
        check_served(server)
        with server.connect() as client:
            wait_alone(server, client)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000


def test_nan_reaches_the_model_in_binary_and_its_answer_in_binary(server: RunningServer) -> None:
    with server.connect() as client:
        client.send(infer_request([[np.nan, 2, 3, 4]]))
        reply = client.read()
        length = int(reply.headers["inference-header-content-length"])
        assert np.isnan(decode_infer_response(reply.body, length)["sum"]).all()
