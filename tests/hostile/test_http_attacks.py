"""Attacks over HTTP on a server in a process of its own: each has its answer, neither neighbours nor memory suffer."""

import contextlib
import gzip
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from tests.hostile.attacked import MB, ROOM_BYTES, Target, target, unharmed
from tests.hostile.target import WIDTH

from modeldyno.records.server import ServerSettings
from modeldyno.testing.running_server import Client, http_request, infer_request
from modeldyno.testing.sessions import echo_signature

Attack = Callable[[Target], None]
INFER = "/v2/models/sums/infer"
HEAD = f"POST {INFER} HTTP/1.1\r\nHost: h\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MOST_CONNECTIONS = 400
MAX_BODY = 10 * MB


@pytest.fixture(scope="module")
def server() -> Iterator[Target]:
    """Impatient, so that waiting for its patience to end is short; it must account for every request in the end."""
    settings = ServerSettings(
        port=0,
        grpc_port=0,
        max_body_bytes=MAX_BODY,
        max_connections=MOST_CONNECTIONS,
        read_timeout_ns=10**9,
        drain_timeout_ns=10**9,
    )
    with target(settings) as running:
        yield running
        account = running.end()
    assert 0 == account.unaccounted


def opened(server: Target, count: int, first: bytes) -> list[Client]:
    """So many clients that have sent this."""
    clients = [server.connect() for _ in range(count)]
    for client in clients:
        client.send(first)
    return clients


def reset(client: Client) -> None:
    """Close without a word: the network says it for us (RST)."""
    client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def refused(server: Target, data: bytes, status: int) -> None:
    """Send it; it is answered with this status, a reason, and the end of the connection."""
    with server.connect() as client:
        client.send(data)
        reply = client.read()
        assert (status, "close") == (reply.status, reply.headers["connection"])
        assert json.loads(reply.body)["error"]
        assert client.is_ended()


def asked(server: Target, body: bytes, status: int, **headers: str) -> None:
    """Send a whole request; it is answered with this status and a short reason."""
    with server.connect() as client:
        reply = client.ask("POST", INFER, body, **headers)
        assert status == reply.status, reply.body[:200]
        assert 0 < len(json.loads(reply.body)["error"]) < 3000


def many_begin_and_say_no_more(part: bytes, server: Target) -> None:
    clients = opened(server, 300, part)
    for client in clients:
        assert 408 == client.read().status
        assert client.is_ended()
        client.close()


def many_begin_and_vanish(server: Target) -> None:
    part = HEAD + b"Content-Length: 5000000\r\n\r\n" + bytes(3 * MB)
    for _ in range(80):
        with server.connect() as client:
            client.send(part)


def many_ask_and_vanish(server: Target) -> None:
    request = infer_request(np.ones((8, WIDTH)).tolist(), echo_signature("FP32", ("batch", WIDTH)), model="echo")
    for _ in range(30):
        for client in opened(server, 100, request):
            reset(client)


def some_take_no_answers(server: Target) -> None:
    request = infer_request(np.ones((8, WIDTH)).tolist(), echo_signature("FP32", ("batch", WIDTH)), model="echo")

    def fill(client: Client) -> None:
        client.send_until_refused(request)
        client.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fill, [server.connect() for _ in range(8)]))


def one_asks_very_much_at_once(server: Target) -> None:
    count = 5000
    with server.connect() as client, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client.send, http_request("GET", "/v2/health/live") * count)
        for _ in range(count):
            assert 200 == client.read().status
        sent.result()


def heads_are_long(server: Target) -> None:
    for _ in range(50):
        refused(server, HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(1000)) + b"\r\n", 431)
        refused(server, HEAD + b"X: " + b"a" * 200_000, 431)
        refused(server, b"GET /" + b"a" * 200_000, 414)


def chunks_are_tiny(server: Target) -> None:
    for _ in range(3):
        refused(server, CHUNKED + b"1\r\nx\r\n" * 70_000, 400)
        refused(server, CHUNKED + b"1;" + b"e" * 50_000 + b"\r\nx\r\n", 408)


def bodies_expand(server: Target) -> None:
    bomb = gzip.compress(bytes(20 * MAX_BODY))
    for _ in range(15):
        refused(server, http_request("POST", INFER, bomb, Content_Encoding="gzip"), 413)


def json_is_monstrous(server: Target) -> None:
    tensor = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":%b}]}'
    for body in (
        b"[" * (2 * MB),
        b'{"inputs":' * (MB // 5),
        b'{"inputs":[' + b"{}," * (MB // 2),
        tensor % (b"[" + b"1," * MB + b"1]"),
        tensor % (b"[" + b"1" * (2 * MB) + b"]"),
        tensor % (b"[1e" + b"9" * (2 * MB) + b"]"),
        tensor % (b"[" * MB + b"]" * MB),
        tensor % (b'["' + b"\\u0000" * (MB // 3) + b'"]'),
        tensor % (b'["' + b"\xff" * (2 * MB) + b'"]'),
        b'{"id":' + b"9" * (2 * MB) + b"}",
        b'{"id":"' + b"\\ud800" * (MB // 3) + b'"}',
        b'{"parameters":{' + b'"a":1,' * (MB // 3) + b'"a":1},"inputs":[]}',
        b'{"inputs":[{"name":"x","datatype":"FP32","data":[1],"shape":[' + b"1," * MB + b"1]}]}",
        b'{"outputs":[' + b'{"name":"sum"},' * (MB // 7) + b'{"name":"sum"}],"inputs":[]}',
        b" " * (2 * MB),
        b'{"inputs":[],"x":"' + b"\\" * (2 * MB),
    ):
        for _ in range(3):
            asked(server, body, 400)


def tensors_lie(server: Target) -> None:
    """About their sizes, in the binary form."""
    for size, shape, tail in (
        (16, [1, 4], 15), (16, [1, 4], 17), (-16, [1, 4], 16), (2**62, [1, 4], 16), (16, [2**61, 4], 16),
        (16, [-1, 4], 16), (0, [0, 4], 0), (16, [1, 5], 16), (2**70, [1, 4], 16), (9 * MB, [1, 4], 9 * MB),
    ):  # fmt: skip
        described = {"name": "x", "datatype": "FP32", "shape": shape, "parameters": {"binary_data_size": size}}
        header = json.dumps({"inputs": [described]}).encode()
        for length in (len(header), len(header) - 1, len(header) + tail + 1, 10**18):
            asked(server, header + bytes(tail), 400, Inference_Header_Content_Length=str(length))


def noise_comes(server: Target) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)  # the first bytes of TLS
    for noise in (
        hello,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0" * 1000,
        os.urandom(1000),
        b"\r\n" * 100_000 + b"\0",
    ):
        for _ in range(20):
            refused(server, noise, 400)


@pytest.mark.parametrize(
    "attack",
    (
        pytest.param(partial(many_begin_and_say_no_more, b"P"), id="heads that do not come"),
        pytest.param(
            partial(many_begin_and_say_no_more, HEAD + b"Content-Length: 9\r\n\r\na"), id="bodies that do not"
        ),
        pytest.param(partial(many_begin_and_say_no_more, CHUNKED + b"9\r\na"), id="chunks that do not"),
        many_begin_and_vanish,
        many_ask_and_vanish,
        some_take_no_answers,
        one_asks_very_much_at_once,
        heads_are_long,
        chunks_are_tiny,
        bodies_expand,
        json_is_monstrous,
        tensors_lie,
        noise_comes,
    ),
)
def test_an_attack_is_refused_unnoticed_by_the_neighbours(server: Target, attack: Attack) -> None:
    with unharmed(server):
        attack(server)


def test_a_bomb_is_not_expanded_beyond_the_limit_of_a_body(server: Target) -> None:
    before = server.usage().rss_bytes
    server.forget_peak()
    bodies_expand(server)
    assert server.peak_bytes() < before + ROOM_BYTES


def test_more_connections_than_allowed_are_told_so_and_the_others_go_on(server: Target) -> None:
    with unharmed(server), contextlib.ExitStack() as stack:
        refusals = 0
        for _ in range(MOST_CONNECTIONS + 20):
            client = stack.enter_context(server.connect())
            client.send(http_request("GET", "/v2/health/live"))
            reply = client.read()
            if reply.status == 503:
                refusals += 1
                assert (True, "close") == ("retry-after" in reply.headers, reply.headers["connection"])
        assert 20 <= refusals <= 30  # the neighbour has two of them
    with server.connect() as client:
        assert 200 == client.ask("GET", "/v2/health/live").status
