"""The protocol's public clients, `tritonclient.http` and `tritonclient.http.aio`, on a table of cases."""

import asyncio
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from numpy.typing import NDArray

from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.testing.sessions import echo, echo_signature

Serving = Callable[..., RunningServer]
PAIR = Signature(
    inputs=(
        TensorSpec(name="a", datatype="FP32", shape=("batch", 3)),
        TensorSpec(name="b", datatype="BYTES", shape=("batch", 1)),
    ),
    outputs=(
        TensorSpec(name="double", datatype="FP32", shape=("batch", 3)),
        TensorSpec(name="same", datatype="BYTES", shape=("batch", 1)),
    ),
)


class Plain:
    """`tritonclient.http`, called as its asynchronous twin is."""

    def __init__(self, address: str) -> None:
        self._client = triton.InferenceServerClient(address)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._client, name)
        return method


class Asynchronous:
    """`tritonclient.http.aio`, on a loop of its own."""

    def __init__(self, address: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(self._connect(address))

    async def _connect(self, address: str) -> Any:
        return triton_aio.InferenceServerClient(address)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **options: self._loop.run_until_complete(getattr(self._client, name)(*args, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


@pytest.fixture(params=(Plain, Asynchronous))
def connect(request: pytest.FixtureRequest) -> Any:
    clients = []

    def open_client(server: RunningServer) -> Any:
        clients.append(request.param(server.address))
        return clients[-1]

    yield open_client
    for client in clients:
        client.close()


def values_of(datatype: str) -> NDArray[Any]:
    if datatype == "BYTES":
        return np.array([[b"", b"a", "ü".encode()], [b"long " * 500, b'"', b"\n"]], object)
    if datatype == "BOOL":
        return np.array([[True, False, True], [False, False, True]])
    dtype = np.dtype(DATATYPES[datatype])
    if dtype.kind == "f":
        return np.array([[0, -1.5, 2], [1e-3, 1e4, np.finfo(dtype).max]], dtype)
    limits = np.iinfo(dtype)
    return np.array([[0, 1, 2], [limits.min, limits.max, 3]], dtype)


def double(inputs: Any) -> dict[str, NDArray[Any]]:
    return {"double": inputs["a"] * np.float32(2), "same": inputs["b"]}


def pair_inputs() -> list[Any]:
    a = triton.InferInput("a", [2, 3], "FP32")
    a.set_data_from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3), binary_data=False)
    b = triton.InferInput("b", [2, 1], "BYTES")
    b.set_data_from_numpy(np.array([[b"x"], [b"y"]], object))
    return [b, a]


@pytest.mark.parametrize(
    ("datatype", "in_binary", "out_binary"),
    [
        case
        for case in product(sorted(DATATYPES), (True, False), (True, False))
        if case[0] != "FP16" or case == ("FP16", True, True)  # FP16 has no JSON form
    ],
)
def test_every_datatype_comes_back_as_it_was_sent(
    serving: Serving, connect: Any, datatype: str, *, in_binary: bool, out_binary: bool
) -> None:
    client = connect(serving(make_model(echo, echo_signature(datatype), name="echo")))
    values = values_of(datatype)
    tensor = triton.InferInput("x", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=in_binary)
    wish = triton.InferRequestedOutput("y", binary_data=out_binary)
    result = client.infer("echo", [tensor], outputs=[wish], request_id="r1", model_version="1")
    answer = result.as_numpy("y")
    if datatype == "BYTES" and not out_binary:
        answer = np.char.encode(answer.astype(str), "utf-8").astype(object)
    np.testing.assert_array_equal(values, answer)
    assert ("r1", "echo", "1") == tuple(result.get_response()[name] for name in ("id", "model_name", "model_version"))


@pytest.mark.parametrize("request_coding", (None, "gzip", "deflate"))
@pytest.mark.parametrize("response_coding", (None, "gzip", "deflate"))
def test_bodies_may_be_compressed_both_ways(
    serving: Serving, connect: Any, request_coding: str | None, response_coding: str | None
) -> None:
    client = connect(serving(make_model(echo, echo_signature("FP32", ("batch", 1000)), name="echo")))
    values = np.arange(2000, dtype=np.float32).reshape(2, 1000)
    tensor = triton.InferInput("x", [2, 1000], "FP32")
    tensor.set_data_from_numpy(values)
    result = client.infer(
        "echo",
        [tensor],
        request_compression_algorithm=request_coding,
        response_compression_algorithm=response_coding,
    )
    np.testing.assert_array_equal(values, result.as_numpy("y"))


def test_without_outputs_all_are_given_and_inputs_may_be_mixed(serving: Serving, connect: Any) -> None:
    client = connect(serving(make_model(double, PAIR, name="pair")))
    result = client.infer("pair", pair_inputs(), priority=1, timeout=30_000_000, parameters={"mine": "yes"})
    np.testing.assert_array_equal([[0, 2, 4], [6, 8, 10]], result.as_numpy("double"))
    np.testing.assert_array_equal([[b"x"], [b"y"]], result.as_numpy("same"))


def test_one_output_may_be_asked_for(serving: Serving, connect: Any) -> None:
    client = connect(serving(make_model(double, PAIR, name="pair")))
    result = client.infer("pair", pair_inputs(), outputs=[triton.InferRequestedOutput("same", binary_data=False)])
    assert ["same"] == [output["name"] for output in result.get_response()["outputs"]]


@pytest.mark.parametrize("binary", (True, False))
def test_the_highest_classes_may_be_asked_for(serving: Serving, connect: Any, *, binary: bool) -> None:
    client = connect(serving(make_model(double, PAIR, name="pair")))
    wish = triton.InferRequestedOutput("double", binary_data=binary, class_count=2)
    classes = client.infer("pair", pair_inputs(), outputs=[wish]).as_numpy("double").tolist()
    expected = [["4.000000:2", "2.000000:1"], ["10.000000:2", "8.000000:1"]]
    assert expected == [[one.decode() if isinstance(one, bytes) else one for one in row] for row in classes]


def test_everything_else_that_the_clients_ask(serving: Serving, connect: Any) -> None:
    server = serving(make_model(), make_model(name="other", version="3"), admin_port=0)
    client = connect(server)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("sums")
    assert client.is_model_ready("other", "3")
    assert not client.is_model_ready("none")
    assert not client.is_model_ready("sums", "9")
    assert "model_configuration" in client.get_server_metadata()["extensions"]
    assert ["3"] == client.get_model_metadata("other")["versions"]
    assert 1 == client.get_model_config("sums")["max_batch_size"]
    assert ["sums", "other"] == [model["name"] for model in client.get_model_repository_index()]
    assert 2 == len(client.get_inference_statistics()["model_stats"])
    assert "3" == client.get_inference_statistics("other", "3")["model_stats"][0]["version"]
    assert client.get_log_settings()["log_error"]
    assert ["OFF"] == client.get_trace_settings()["trace_level"]
    with pytest.raises(triton.InferenceServerException, match="for the admin port"):
        client.update_log_settings({"log_info": True})


def test_settings_are_changed_at_the_admin_port(serving: Serving, connect: Any) -> None:
    server = serving(make_model(), admin_port=0)
    server.url = server.admin_url
    client = connect(server)
    assert client.update_log_settings({"log_info": True})["log_info"]
    assert ["OFF"] == client.update_trace_settings(settings={"trace_level": ["OFF"]})["trace_level"]
    with pytest.raises(triton.InferenceServerException, match="tracing is not offered"):
        client.update_trace_settings(model_name="sums", settings={"trace_level": ["TIMESTAMPS"]})


@pytest.mark.parametrize(
    ("model", "name", "reason"),
    (("sums", "wrong", "unknown input 'wrong'; the model takes 'x'"), ("none", "x", "unknown model 'none'")),
)
def test_the_clients_show_the_servers_reason(
    serving: Serving, connect: Any, model: str, name: str, reason: str
) -> None:
    client = connect(serving(make_model()))
    tensor = triton.InferInput(name, [1, 4], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 4), np.float32))
    with pytest.raises(triton.InferenceServerException, match=reason):
        client.infer(model, [tensor])
