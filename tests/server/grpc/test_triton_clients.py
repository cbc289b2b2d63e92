"""The ordinary clients of the protocol, blocking and asyncio, against a served model of every datatype."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2, service_pb2

from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import DATATYPES
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.testing.sessions import FunctionSession, echo, echo_signature
from modeldyno.wire.v2_messages import message_class

Infer = Callable[..., Any]
TYPED = sorted(set(DATATYPES) - {"FP16"})


def example(datatype: str, shape: tuple[int, ...] = (2, 3)) -> Any:
    count = int(np.prod(shape))
    if datatype == "BYTES":
        return np.array([b"", b"a\x00b", "wörter".encode() * 9][:count] * (count // 3 or 1), object).reshape(shape)
    if datatype == "BOOL":
        return (np.arange(count) % 2 == 0).reshape(shape)
    dtype = np.dtype(DATATYPES[datatype])
    edges = (
        [np.finfo(dtype).max, np.nan, -np.inf] if dtype.kind == "f" else [np.iinfo(dtype).min, np.iinfo(dtype).max, 1]
    )
    return np.array((edges * count)[:count], dtype).reshape(shape)


def tensor(array: NDArray[np.generic], datatype: str, name: str = "x") -> triton.InferInput:
    one = triton.InferInput(name, list(array.shape), datatype)
    one.set_data_from_numpy(array)
    return one


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    models = [make_model(echo, echo_signature(datatype), name=datatype.lower(), max_rows=8) for datatype in DATATYPES]
    with RunningServer(*models, make_model(), settings=ServerSettings(port=0, grpc_port=0)) as running:
        yield running
    assert running.account is not None
    assert 0 == running.account.unaccounted


@pytest.fixture
def client(server: RunningServer) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.grpc_address) as one:
        yield one


def ask_asyncio(server: RunningServer, *arguments: Any, **more: Any) -> Any:
    async def ask() -> Any:
        async with triton_aio.InferenceServerClient(server.grpc_address) as one:
            return await one.infer(*arguments, **more)

    return asyncio.run(ask())


@pytest.fixture(params=("blocking", "asyncio"))
def infer(request: pytest.FixtureRequest, server: RunningServer, client: triton.InferenceServerClient) -> Infer:
    if request.param == "blocking":
        return client.infer  # type: ignore[no-any-return]
    return lambda *arguments, **more: ask_asyncio(server, *arguments, **more)


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
def test_every_datatype_comes_back_raw_as_it_was_sent(infer: Infer, datatype: str) -> None:
    array = example(datatype)
    answer = infer(datatype.lower(), [tensor(array, datatype)], request_id="r-1")

    assert "r-1" == answer.get_response().id
    assert (datatype.lower(), "1") == (answer.get_response().model_name, answer.get_response().model_version)
    assert 1 == len(answer.get_response().raw_output_contents)
    np.testing.assert_array_equal(array, answer.as_numpy("y"))


@pytest.mark.parametrize("datatype", TYPED)
def test_every_datatype_that_has_a_typed_form_comes_back_typed(server: RunningServer, datatype: str) -> None:
    array = example(datatype)
    asked = service_pb2.ModelInferRequest(model_name=datatype.lower(), id="t")
    one = asked.inputs.add(name="x", datatype=datatype, shape=array.shape)
    field = {
        **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
        **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    }.get(datatype, f"{datatype.lower()}_contents")
    getattr(one.contents, field).extend(array.ravel().tolist())
    with triton.InferenceServerClient(server.grpc_address) as client:
        answer = client._client_stub.ModelInfer(asked)

    assert not answer.raw_output_contents
    assert "t" == answer.id
    got = np.array(list(getattr(answer.outputs[0].contents, field)), array.dtype).reshape(array.shape)
    np.testing.assert_array_equal(array, got)


@pytest.mark.parametrize("algorithm", ("gzip", "deflate"))
def test_compressed_requests_are_understood(client: triton.InferenceServerClient, algorithm: str) -> None:
    array = np.zeros((500, 3), np.float32)
    answer = client.infer("fp32", [tensor(array, "FP32")], compression_algorithm=algorithm)

    np.testing.assert_array_equal(array, answer.as_numpy("y"))


def test_only_the_outputs_asked_for_come(infer: Infer) -> None:
    answer = infer("fp32", [tensor(example("FP32"), "FP32")], outputs=[triton.InferRequestedOutput("y")])

    assert ["y"] == [one.name for one in answer.get_response().outputs]


def test_tensors_larger_than_any_window_go_both_ways(server: RunningServer) -> None:
    array = np.random.default_rng(1).random((1_500_000, 3)).astype(np.float32)  # 18 MB
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with triton.InferenceServerClient(server.grpc_address, channel_args=options) as client:
        answer = client.infer("fp32", [tensor(array, "FP32")], client_timeout=60)

    np.testing.assert_array_equal(array, answer.as_numpy("y"))


def test_a_message_above_the_limit_is_refused_and_others_go_on(
    serving: Callable[..., RunningServer],
) -> None:
    server = serving(make_model(echo, echo_signature("FP32"), name="echo"), grpc_port=0, max_body_bytes=100_000)
    options = [("grpc.max_send_message_length", -1)]
    with triton.InferenceServerClient(server.grpc_address, channel_args=options) as client:
        with pytest.raises(triton.InferenceServerException, match="100000") as caught:
            client.infer("echo", [tensor(np.zeros((100_000, 3), np.float32), "FP32")])
        answer = client.infer("echo", [tensor(example("FP32"), "FP32")])

    assert "RESOURCE_EXHAUSTED" in caught.value.status()
    assert (2, 3) == answer.as_numpy("y").shape


def test_what_a_client_asks_before_it_infers(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("fp32")
    assert client.is_model_ready("fp32", "1")
    assert not client.is_model_ready("unknown")
    assert not client.is_model_ready("fp32", "9")
    assert "modeldyno" == client.get_server_metadata().name
    metadata = client.get_model_metadata("fp32")
    assert ("fp32", ["1"]) == (metadata.name, list(metadata.versions))
    assert [("x", "FP32", [-1, 3])] == [(one.name, one.datatype, list(one.shape)) for one in metadata.inputs]
    index = client.get_model_repository_index()
    assert {"fp32", "sums"} <= {model.name for model in index.models}
    assert {"READY"} == {model.state for model in index.models}


def test_the_configuration_says_what_profilers_read(client: triton.InferenceServerClient) -> None:
    config = client.get_model_config("fp32").config

    assert ("fp32", 8) == (config.name, config.max_batch_size)
    assert [("x", model_config_pb2.TYPE_FP32, [3])] == [
        (one.name, one.data_type, list(one.dims)) for one in config.input
    ]
    assert not config.model_transaction_policy.decoupled


def test_statistics_count_what_was_inferred(client: triton.InferenceServerClient) -> None:
    before = client.get_inference_statistics("sums", "1").model_stats[0]
    for _ in range(3):
        client.infer("sums", [tensor(np.ones((2, 4), np.float32), "FP32")])
    after = client.get_inference_statistics("sums").model_stats[0]

    assert 6 == after.inference_count - before.inference_count
    assert 3 == after.inference_stats.success.count - before.inference_stats.success.count
    assert "1" == after.version
    assert "sums" in {one.name for one in client.get_inference_statistics().model_stats}


def test_settings_are_read(client: triton.InferenceServerClient) -> None:
    assert client.get_log_settings().settings["log_error"].bool_param
    assert ["OFF"] == list(client.get_trace_settings().settings["trace_level"].value)


@pytest.mark.parametrize(
    ("ask", "status"),
    (
        (lambda client: client.infer("nope", [tensor(example("FP32"), "FP32")]), "NOT_FOUND"),
        (lambda client: client.infer("fp32", [tensor(example("FP32"), "FP32")], "7"), "NOT_FOUND"),
        (lambda client: client.infer("fp32", [tensor(example("FP64"), "FP64")]), "INVALID_ARGUMENT"),
        (lambda client: client.infer("fp32", [tensor(example("FP32"), "FP32", "z")]), "INVALID_ARGUMENT"),
        (lambda client: client.infer("fp32", [tensor(example("FP32", (6,)), "FP32")]), "INVALID_ARGUMENT"),
        (lambda client: client.infer("fp32", [tensor(example("FP32"), "FP32")] * 2), "INVALID_ARGUMENT"),
        (lambda client: client.infer("", [tensor(example("FP32"), "FP32")]), "INVALID_ARGUMENT"),
        (lambda client: client.get_model_metadata("nope"), "NOT_FOUND"),
        (lambda client: client.load_model("fp32"), "PERMISSION_DENIED"),
        (lambda client: client.get_system_shared_memory_status(), "UNIMPLEMENTED"),
    ),
)
def test_an_error_has_the_status_of_triton(client: triton.InferenceServerClient, ask: Any, status: str) -> None:
    with pytest.raises(triton.InferenceServerException) as caught:
        ask(client)

    assert f"StatusCode.{status}" == caught.value.status()
    assert client.is_server_live()


def test_a_stream_answers_each_of_its_requests_and_goes_on_after_an_error(
    client: triton.InferenceServerClient,
) -> None:
    answers: list[Any] = []
    client.start_stream(lambda result, error: answers.append(error or result))
    for number in range(20):
        rows = np.full((1, 3), number, np.float32)
        client.async_stream_infer("fp32" if number != 7 else "nope", [tensor(rows, "FP32")], request_id=str(number))
    client.stop_stream()

    errors = [one for one in answers if isinstance(one, triton.InferenceServerException)]
    results = {one.get_response().id: one.as_numpy("y")[0, 0] for one in answers if one not in errors}
    assert ["unknown model 'nope'" in str(one) for one in errors] == [True]
    assert {str(number): float(number) for number in range(20) if number != 7} == results


def test_a_parameter_that_no_server_knows_does_no_harm(infer: Infer) -> None:
    array = example("FP32")
    answer = infer("fp32", [tensor(array, "FP32")], parameters={"colour": "red", "level": 3}, priority=1)

    np.testing.assert_array_equal(array, answer.as_numpy("y"))


def test_fields_of_the_future_are_left_out(server: RunningServer) -> None:
    asked = message_class("ModelInferRequest")(model_name="fp32", raw_input_contents=[bytes(12)])
    asked.inputs.add(name="x", datatype="FP32", shape=[1, 3])
    with grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        answer = service_pb2.ModelInferResponse.FromString(call(asked.SerializeToString() + b"\xaa\x06\x03abc"))

    assert [bytes(12)] == list(answer.raw_output_contents)


def test_requests_of_one_connection_are_batched_together() -> None:
    model = make_model(max_rows=64)
    [session] = model.sessions

    async def ask(address: str) -> list[Any]:
        async with triton_aio.InferenceServerClient(address) as client:
            calls = [
                client.infer("sums", [tensor(np.full((1, 4), number, np.float32), "FP32")]) for number in range(100)
            ]
            return await asyncio.gather(*calls)

    with RunningServer(model, settings=ServerSettings(port=0, grpc_port=0)) as server:
        answers = asyncio.run(ask(server.grpc_address))

    assert [4.0 * number for number in range(100)] == [answer.as_numpy("sum")[0] for answer in answers]
    assert isinstance(session, FunctionSession)
    assert 100 == sum(session.batches)
    assert len(session.batches) < 60
