"""The transport against grpcio's own server, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest
import uvloop
from tests.loadgen.grpc.conftest import Inference

from modeldyno.clock import SystemClock
from modeldyno.loadgen.readers.v2 import request_id
from modeldyno.loadgen.readers.v2_grpc import V2GrpcReader
from modeldyno.loadgen.server_timing import ServerTimes
from modeldyno.loadgen.transports.connection import NO_REQUEST, Answer, Connection
from modeldyno.loadgen.transports.grpc import GrpcDialer
from modeldyno.records.requests import Outcome
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.grpc_call import pack_call
from modeldyno.wire.header_block import encode_block
from modeldyno.wire.http2_frames import (
    ErrorCode,
    FrameType,
    format_frame,
    format_headers,
    format_reset,
    format_settings,
)
from modeldyno.wire.v2_grpc import encode_infer_request
from modeldyno.wire.v2_messages import method_path

SECONDS = 30
"""A limit, and not what anything is expected to take."""


def call(model: str, number: int = 0, size: int = 4) -> bytes:
    """A `ModelInfer` with `size` numbers."""
    signature = Signature(inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", size)),), outputs=())
    inputs = {"x": np.arange(size, dtype=np.float32).reshape(1, size)}
    message = encode_infer_request(inputs, signature, model, request_id=request_id(number))
    return pack_call(method_path("ModelInfer"), "127.0.0.1", message, timeout_ns=SECONDS * 10**9)


class Owner:
    """Writes down what a connection tells."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[str, Answer | None]] = asyncio.Queue()

    def answered(self, connection: Connection, answer: Answer) -> None:
        self.told.put_nowait(("answered", answer))

    def malformed(self, connection: Connection) -> None:
        self.told.put_nowait(("malformed", None))

    def lost(self, connection: Connection) -> None:
        self.told.put_nowait(("lost", None))

    async def wait_told(self) -> tuple[str, Answer | None]:
        async with asyncio.timeout(SECONDS):
            return await self.told.get()

    async def wait_answer(self) -> Answer:
        word, answer = await self.wait_told()
        assert "answered" == word
        assert answer is not None
        return answer


class Client:
    """A connection and its owner."""

    def __init__(self, owner: Owner, connection: Connection, contents: Sequence[bytes]) -> None:
        self.owner = owner
        self.connection = connection
        self._contents = contents

    async def wait_answer(self, which: int) -> Answer:
        self.connection.send(7, which, self._contents[which])
        answer = await self.owner.wait_answer()
        assert 7 == self.connection.rest()
        return answer


def dialer(port: int) -> GrpcDialer:
    return GrpcDialer(("127.0.0.1", port), None, V2GrpcReader, SystemClock().now_ns)


@asynccontextmanager
async def dialled(port: int, contents: Sequence[bytes] = ()) -> AsyncIterator[Client]:
    """A connection, aborted in any case: a server would wait for it for ever."""
    owner = Owner()
    async with asyncio.timeout(SECONDS):
        connection = await dialer(port).dial(owner)
    try:
        yield Client(owner, connection, contents)
    finally:
        connection.abort()


def talk(port: int, contents: list[bytes], play: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
    """Open a connection, and let `play` use it."""

    async def run() -> None:
        async with dialled(port, contents) as client:
            await play(client)

    uvloop.run(run())


def answer_of(port: int, content: bytes) -> Answer:
    """What becomes of one call on a connection of its own."""
    answers: list[Answer] = []

    async def play(client: Client) -> None:
        answers.append(await client.wait_answer(0))

    talk(port, [content], play)
    return answers[0]


def test_a_call_is_answered_and_its_moments_are_in_order(served: Any) -> None:
    async def play(client: Client) -> None:
        answer = await client.wait_answer(0)
        one = client.connection
        assert Answer(Outcome.OK, 0, keep_alive=True) == answer
        assert 0 < one.sent_ns <= one.first_byte_ns <= one.done_ns <= SystemClock().now_ns()
        assert one.sent_bytes > 100
        assert one.received_bytes > 50
        assert one.has_answered
        assert one.connect_ns == -1  # taken back by `rest`

    talk(served.port, [call("echo")], play)


def test_how_long_it_took_to_open_is_known_until_the_first_request_is_over(served: Any) -> None:
    async def play(client: Client) -> None:
        assert client.connection.connect_ns > 0

    talk(served.port, [call("echo")], play)


def test_hundreds_of_calls_go_over_one_connection(served: Any) -> None:
    contents = [call("echo", number) for number in range(10)]

    async def play(client: Client) -> None:
        for number in range(500):
            assert Outcome.OK == (await client.wait_answer(number % 10)).outcome

    talk(served.port, contents, play)


@pytest.mark.parametrize("size", (10_000, 20_000, 400_000, 3_000_000))
def test_large_tensors_go_both_ways(served: Any, size: int) -> None:
    async def play(client: Client) -> None:
        for _ in range(2):
            answer = await client.wait_answer(0)
            assert Outcome.OK == answer.outcome
            assert min(client.connection.sent_bytes, client.connection.received_bytes) > 4 * size

    talk(served.port, [call("echo", size=size)], play)


def test_an_answer_larger_than_our_window_arrives_whole(served: Any) -> None:
    async def play(client: Client) -> None:
        assert Outcome.OK == (await client.wait_answer(0)).outcome
        assert client.connection.received_bytes > 40_000_000

    talk(served.port, [call("large-40000000")], play)


@pytest.mark.parametrize("code", (1, 2, 3, 4, 5, 7, 8, 12, 13, 14, 16))
def test_a_code_other_than_ok_is_an_error_with_that_code(served: Any, code: int) -> None:
    expected = Answer(Outcome.GRPC_ERROR, code, keep_alive=True, words="as was asked: déjà vu".encode())
    assert expected == answer_of(served.port, call(f"code-{code}"))


def test_a_connection_goes_on_after_an_error(served: Any) -> None:
    async def play(client: Client) -> None:
        assert Outcome.GRPC_ERROR == (await client.wait_answer(1)).outcome
        assert Outcome.OK == (await client.wait_answer(0)).outcome

    talk(served.port, [call("echo"), call("code-5")], play)


def test_a_request_that_the_server_finds_too_large_is_an_error_and_the_connection_goes_on(serve: Any) -> None:
    async def play(client: Client) -> None:
        answer = await client.wait_answer(1)
        assert (Outcome.GRPC_ERROR, 8) == (answer.outcome, answer.status)
        assert Outcome.OK == (await client.wait_answer(0)).outcome

    with serve(("grpc.max_receive_message_length", 10_000)) as server:
        talk(server.port, [call("echo"), call("echo", size=1_000_000)], play)


def test_an_answer_to_another_request_is_noticed(served: Any) -> None:
    assert Outcome.MISMATCHED == answer_of(served.port, call("other-id")).outcome


def test_an_answer_without_an_id_says_nothing_about_its_request(served: Any) -> None:
    assert Outcome.OK == answer_of(served.port, call("no-id")).outcome


def test_an_answer_that_is_no_message_is_malformed(served: Any) -> None:
    async def play(client: Client) -> None:
        client.connection.send(7, 0, call("garbage"))
        assert "malformed" == (await client.owner.wait_told())[0]
        assert "lost" == (await client.owner.wait_told())[0]
        assert client.connection.done_ns > client.connection.sent_ns

    talk(served.port, [call("garbage")], play)


def test_what_the_server_says_of_its_own_times_is_understood(served: Any) -> None:
    times = answer_of(served.port, call("timed")).server_times

    assert ServerTimes(-1, 1_000_000, 2_500_000, -1, -1) == times


def test_a_server_that_stops_in_the_middle_of_a_call_cancels_it_or_is_lost(served: Any) -> None:
    async def play(client: Client) -> None:
        client.connection.send(7, 0, call("silent"))
        await asyncio.get_running_loop().run_in_executor(None, lambda: served.server.stop(0).wait(SECONDS))
        word, answer = await client.owner.wait_told()
        assert word == "lost" or (answer is not None and Outcome.GRPC_ERROR == answer.outcome)

    talk(served.port, [call("silent")], play)


def test_a_deadline_is_told_to_the_server(served: Any) -> None:
    message = encode_infer_request({}, Signature(inputs=(), outputs=()), "silent")
    short = pack_call(method_path("ModelInfer"), "127.0.0.1", message, timeout_ns=50_000_000)

    assert (Outcome.GRPC_ERROR, 4) == answer_of(served.port, short)[:2]


def test_a_connection_that_has_grown_old_is_left_and_no_call_fails(serve: Any) -> None:
    async def play(client: Client) -> None:
        while not client.owner.told.qsize():
            if not (await client.wait_answer(0)).keep_alive:
                return
        assert "lost" == (await client.owner.wait_told())[0]
        assert client.connection.request == NO_REQUEST

    with serve(("grpc.max_connection_age_ms", 200), ("grpc.max_connection_age_grace_ms", 5_000)) as server:
        talk(server.port, [call("echo")], play)


async def _serve_bytes(data: bytes, play: Callable[[int], Coroutine[Any, Any, None]], *, close: bool = False) -> None:
    """A server that sends `data` to whoever connects."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if not close:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        await play(server.sockets[0].getsockname()[1])


SETTINGS = format_settings({})
GOAWAY = format_frame(FrameType.GOAWAY, 0, 0, b"\x7f\xff\xff\xff" + bytes(4))
"""Of a server that still answers what it has."""


@pytest.mark.parametrize(
    ("first", "words"),
    (
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "HTTP/1"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "TLS"),
        (b"", "closed"),
        (SETTINGS + format_frame(FrameType.GOAWAY, 0, 0, bytes(4) + b"\0\0\0\x0bcalm"), "ENHANCE_YOUR_CALM calm"),
    ),
)
def test_a_connection_to_a_server_of_something_else_cannot_be_opened(first: bytes, words: str) -> None:
    async def play(port: int) -> None:
        owner = Owner()
        with pytest.raises(OSError, match=words):
            await dialer(port).dial(owner)
        assert owner.told.empty()

    uvloop.run(_serve_bytes(first, play, close=not first))


def test_a_server_that_says_nothing_can_be_given_up() -> None:
    async def play(port: int) -> None:
        owner = Owner()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await dialer(port).dial(owner)
        assert owner.told.empty()

    uvloop.run(_serve_bytes(b"", play))


@pytest.mark.parametrize(
    ("after", "expected"),
    (
        (b"\0\0\x08\x06\0\0\0\0\x01" + bytes(8), "malformed"),
        (format_reset(1, ErrorCode.ENHANCE_YOUR_CALM), "answered"),
        (GOAWAY + format_reset(1, ErrorCode.ENHANCE_YOUR_CALM), "answered"),
        (format_frame(FrameType.GOAWAY, 0, 0, bytes(8)), "lost"),
    ),
)
def test_what_ends_a_call_without_an_answer_is_told(after: bytes, expected: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SETTINGS)
        content = b""
        while b"ModelInfer" not in content:
            content += await reader.read(10_000)
        writer.write(after)
        await reader.read()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server, dialled(server.sockets[0].getsockname()[1]) as client:
            client.connection.send(7, 0, call("echo"))
            word, answer = await client.owner.wait_told()
            assert expected == word
            if answer is not None:
                said = b"the server reset the stream: ENHANCE_YOUR_CALM"
                assert Answer(Outcome.GRPC_ERROR, 8, keep_alive=GOAWAY not in after, words=said) == answer
            assert 0 == client.connection.received_bytes or answer is not None

    uvloop.run(run())


def test_an_idle_connection_is_given_up_as_soon_as_the_server_says_that_it_leaves() -> None:
    async def run() -> None:
        writers: list[asyncio.StreamWriter] = []

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(SETTINGS)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server, dialled(server.sockets[0].getsockname()[1]) as client:
            writers[0].write(GOAWAY)
            assert "lost" == (await client.owner.wait_told())[0]

    uvloop.run(run())


def test_the_first_byte_is_of_the_answer_and_not_of_the_connection() -> None:
    moments: list[int] = []
    ping = format_frame(FrameType.PING, 0, 0, b"are you?")
    head = encode_block([(":status", "200"), ("content-type", "application/grpc")])
    end = encode_block([("grpc-status", "5")])

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SETTINGS)
        for awaited, answer in (
            (b"ModelInfer", SETTINGS + ping),
            (b"are you?", format_headers(1, head)),
            (b"", format_headers(1, end, end_stream=True)),
        ):
            content = b""
            while awaited not in content:
                content += await reader.read(10_000)
            moments.append(SystemClock().now_ns())
            writer.write(answer)
            await writer.drain()
        await reader.read()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server, dialled(server.sockets[0].getsockname()[1]) as client:
            one = client.connection
            one.send(7, 0, call("echo"))
            assert (Outcome.GRPC_ERROR, 5) == (await client.owner.wait_answer())[:2]
            assert one.sent_ns <= moments[0] < moments[1] <= one.first_byte_ns <= one.done_ns

    uvloop.run(run())


def test_the_server_of_grpc_aio_is_understood_as_well() -> None:
    async def run() -> None:
        server = grpc.aio.server(
            handlers=(Inference(),),
            options=(("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)),
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        contents = [call("echo"), call("echo", 1, size=500_000), call("code-9")]
        try:
            async with dialled(port, contents) as client:
                for _ in range(20):
                    assert Outcome.OK == (await client.wait_answer(0)).outcome
                assert Outcome.OK == (await client.wait_answer(1)).outcome
                assert (Outcome.GRPC_ERROR, 9) == (await client.wait_answer(2))[:2]
                await server.stop(SECONDS)
                assert "lost" == (await client.owner.wait_told())[0]
        finally:
            await server.stop(0)

    asyncio.run(run())
