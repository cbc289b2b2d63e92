"""Sessions that raise what they please: its request is told, and all others get their answers."""

import json
import logging
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.server import ServerSettings
from modeldyno.testing.running_server import HttpReply, RunningServer, infer_request, make_model
from modeldyno.testing.sessions import sum_rows
from modeldyno.wire.v2_tensors import LITTLE_ENDIAN


class NativePanic(BaseException):
    """What compiled code may raise: Rust's panics come as such a class, `pyo3_runtime.PanicException`."""


RAISED = (
    (ValueError, 500), (MemoryError, 503), (RecursionError, 500), (SystemExit, 500), (NativePanic, 500),
    (GeneratorExit, 500), (KeyboardInterrupt, 500), (StopIteration, 500), (AssertionError, 500),
)  # fmt: skip


def raise_by_number(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
    """Sums; a negative number raises what stands at its place."""
    number = int(inputs["x"][0, 0])
    if number < 0:
        raise RAISED[-number - 1][0]("private detail")
    return sum_rows(inputs)


@pytest.fixture(params=(1, 2), ids=("computed on the loop", "computed on threads"))
def server(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[RunningServer]:
    caplog.set_level(logging.CRITICAL)
    model = make_model(raise_by_number, instances=request.param)
    with RunningServer(model, make_model(name="good"), settings=ServerSettings(port=0)) as running:
        yield running
    assert running.account is not None
    assert 0 == running.account.unaccounted == running.account.lost


def ask(server: RunningServer, value: float, model: str = "sums") -> HttpReply:
    with server.connect() as client:
        client.send(infer_request([[value, 0, 0, 0]], model=model))
        return client.read()


@pytest.mark.parametrize("number", range(len(RAISED)), ids=[kind.__name__ for kind, _ in RAISED])
def test_whatever_a_session_raises_its_request_is_told_and_the_next_are_answered(
    server: RunningServer, number: int
) -> None:
    kind, status = RAISED[number]
    for _ in range(5):  # more than there are instances
        reply = ask(server, -number - 1)
        assert status == reply.status
        assert "private" not in json.loads(reply.body)["error"]
        assert (kind.__name__ in json.loads(reply.body)["error"]) == (status == 500)
    assert [200, 200] == [ask(server, 1).status, ask(server, 1, "good").status]


@pytest.mark.parametrize("step", ("decode", "encode"))
def test_memory_that_runs_out_on_the_way_is_told_and_the_next_are_answered(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    question = infer_request([[1, 0, 0, 0]])
    with monkeypatch.context() as patch, server.connect() as client:
        if step == "decode":
            patch.setitem(LITTLE_ENDIAN, "FP32", TooLarge())
        else:
            patch.setattr(msgspec.json, "encode", describe_no_tensor)
        client.send(question)
        reply = client.read()
    assert (503, "1") == (reply.status, reply.headers["retry-after"])
    assert "memory" in json.loads(reply.body)["error"]
    assert 200 == ask(server, 1).status


class TooLarge:
    """A type of numbers for which no memory is left."""

    @property
    def itemsize(self) -> int:
        raise MemoryError


def describe_no_tensor(said: object, encode: Callable[[object], bytes] = msgspec.json.encode) -> bytes:
    if isinstance(said, dict) and "shape" in said:
        raise MemoryError
    return encode(said)


def give(outputs: Callable[[Tensors], object]) -> Callable[[Tensors], dict[str, NDArray[np.generic]]]:
    return outputs  # type: ignore[return-value]


@pytest.mark.parametrize(
    "outputs",
    (
        lambda _: None,
        lambda _: {},
        lambda _: [np.zeros(1, np.float32)],
        lambda _: {"sum": None},
        lambda _: {"sum": [1.0]},
        lambda _: {"sum": np.float32(1)},
        lambda _: {"sum": np.zeros((), np.float32)},
        lambda _: {"sum": np.zeros(0, np.float32)},
        lambda _: {"sum": np.zeros((1, 1), np.float32)},
        lambda _: {"sum": np.zeros(2, np.float32)},
        lambda _: {"sum": np.zeros(1, np.float64)},
        lambda _: {"sum": np.zeros(1, ">f4")},
        lambda _: {"sum": np.array([None])},
        lambda _: {"total": np.zeros(1, np.float32)},
    ),
)
def test_outputs_that_are_not_those_of_the_signature_are_never_sent(
    outputs: Callable[[Tensors], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    models = make_model(give(outputs)), make_model(name="good")
    with RunningServer(*models, settings=ServerSettings(port=0)) as server:
        reply = ask(server, 1)
        assert 500 == reply.status
        assert "the model" in json.loads(reply.body)["error"]
        assert 200 == ask(server, 1, "good").status
    assert server.account is not None
    assert (2, 1, 1, 0) == (
        server.account.accepted,
        server.account.answered,
        server.account.failed,
        server.account.unaccounted,
    )
