"""What the ordinary clients can do over gRPC only: typed contents, streams, large messages, unknown fields."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from numpy.typing import NDArray
from tests.clients.four_clients import values_of
from tritonclient.grpc import model_config_pb2, service_pb2

from modeldyno.bfloat16 import from_numbers
from modeldyno.protocols import Tensors
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import DATATYPES, WITHOUT_JSON, Signature, TensorSpec
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.testing.sessions import FunctionSession, echo, echo_signature
from modeldyno.wire.v2_grpc_infer import AnswerTranslator
from modeldyno.wire.v2_messages import message_class

TYPED = sorted(set(DATATYPES) - WITHOUT_JSON)
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def tensor(array: NDArray[np.generic], datatype: str = "FP32", name: str = "x") -> triton.InferInput:
    one = triton.InferInput(name, list(array.shape), datatype)
    one.set_data_from_numpy(array)
    return one


def halved(datatype: str) -> Signature:
    """From FP32 to the same, and to half of its bits."""
    one, same, half = (
        TensorSpec(name=name, datatype=kind, shape=("batch", 2))
        for name, kind in (("x", "FP32"), ("same", "FP32"), ("half", datatype))
    )
    return Signature(inputs=(one,), outputs=(same, half))


def halves(halve: Callable[[NDArray[Any]], NDArray[Any]], inputs: Tensors) -> dict[str, NDArray[Any]]:
    return {"same": inputs["x"], "half": halve(inputs["x"])}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    models = [make_model(echo, echo_signature(datatype), name=datatype.lower(), max_rows=8) for datatype in DATATYPES]
    for datatype, halve in (("FP16", lambda array: array.astype(np.float16)), ("BF16", from_numbers)):
        models.append(make_model(partial(halves, halve), halved(datatype), name=f"halves-{datatype}", max_rows=8))
    with RunningServer(*models, settings=ServerSettings(port=0, grpc_port=0)) as running:
        yield running
    assert running.account is not None
    assert 0 == running.account.unaccounted


@pytest.fixture
def client(server: RunningServer) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.grpc_address) as one:
        yield one


@pytest.mark.parametrize("datatype", TYPED)
def test_every_datatype_that_has_a_typed_form_comes_back_typed(
    client: triton.InferenceServerClient, datatype: str
) -> None:
    array = values_of(datatype, (2, 3))
    asked = service_pb2.ModelInferRequest(model_name=datatype.lower(), id="t")
    one = asked.inputs.add(name="x", datatype=datatype, shape=array.shape)
    field = {
        **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
        **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    }.get(datatype, f"{datatype.lower()}_contents")
    getattr(one.contents, field).extend(array.ravel().tolist())
    answer = client._client_stub.ModelInfer(asked)

    assert not answer.raw_output_contents
    assert "t" == answer.id
    got = np.array(list(getattr(answer.outputs[0].contents, field)), array.dtype).reshape(array.shape)
    np.testing.assert_array_equal(array, got)


@pytest.mark.parametrize("datatype", sorted(WITHOUT_JSON))
def test_what_was_sent_typed_comes_back_raw_where_an_output_has_no_typed_form(
    client: triton.InferenceServerClient, datatype: str
) -> None:
    asked = service_pb2.ModelInferRequest(model_name=f"halves-{datatype}")
    asked.inputs.add(name="x", datatype="FP32", shape=[1, 2]).contents.fp32_contents.extend([1.5, -2.0])
    answer = triton.InferResult(client._client_stub.ModelInfer(asked))

    assert 2 == len(answer.get_response().raw_output_contents)
    assert [[1.5, -2.0]] == answer.as_numpy("same").tolist()
    assert [[1.5, -2.0]] == answer.as_numpy("half").tolist()


def test_an_answer_that_cannot_be_put_in_a_message_is_an_error_and_not_silence(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    with triton.InferenceServerClient(server.grpc_address) as client:
        with monkeypatch.context() as patched:
            patched.setattr(AnswerTranslator, "translate", fail)
            with pytest.raises(triton.InferenceServerException, match="a fault of the server") as caught:
                client.infer("fp32", [tensor(np.ones((1, 3), np.float32))], client_timeout=30)
        assert "StatusCode.INTERNAL" == caught.value.status()
        assert 1 == len(client.infer("fp32", [tensor(np.ones((1, 3), np.float32))]).as_numpy("y"))


def test_what_was_sent_raw_comes_back_raw(client: triton.InferenceServerClient) -> None:
    assert 1 == len(client.infer("fp32", [tensor(np.ones((1, 3), np.float32))]).get_response().raw_output_contents)


def test_the_configuration_has_the_types_of_the_message(client: triton.InferenceServerClient) -> None:
    config = client.get_model_config("fp32").config

    assert [model_config_pb2.TYPE_FP32] == [one.data_type for one in config.input]
    assert not config.model_transaction_policy.decoupled


def test_tensors_larger_than_any_window_go_both_ways(server: RunningServer) -> None:
    array = np.random.default_rng(1).random((1_500_000, 3)).astype(np.float32)  # 18 MB
    with triton.InferenceServerClient(server.grpc_address, channel_args=UNLIMITED) as client:
        answer = client.infer("fp32", [tensor(array)], client_timeout=60)

    np.testing.assert_array_equal(array, answer.as_numpy("y"))


def test_a_message_above_the_limit_is_refused_and_others_go_on() -> None:
    model = make_model(echo, echo_signature("FP32"), name="echo")
    settings = ServerSettings(port=0, grpc_port=0, max_body_bytes=100_000)
    with (
        RunningServer(model, settings=settings) as server,
        triton.InferenceServerClient(server.grpc_address, channel_args=UNLIMITED) as client,
    ):
        with pytest.raises(triton.InferenceServerException, match="100000") as caught:
            client.infer("echo", [tensor(np.zeros((100_000, 3), np.float32))])
        answer = client.infer("echo", [tensor(np.zeros((2, 3), np.float32))])

    assert "RESOURCE_EXHAUSTED" in caught.value.status()
    assert (2, 3) == answer.as_numpy("y").shape


@pytest.mark.parametrize(
    ("ask", "status"),
    (
        (lambda client: client.infer("", [tensor(np.ones((1, 3), np.float32))]), "INVALID_ARGUMENT"),
        (lambda client: client.get_system_shared_memory_status(), "UNIMPLEMENTED"),
    ),
)
def test_an_error_has_the_status_of_triton(
    client: triton.InferenceServerClient, ask: Callable[[triton.InferenceServerClient], Any], status: str
) -> None:
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
        client.async_stream_infer("fp32" if number != 7 else "nope", [tensor(rows)], request_id=str(number))
    client.stop_stream()

    errors = [one for one in answers if isinstance(one, triton.InferenceServerException)]
    results = {one.get_response().id: one.as_numpy("y")[0, 0] for one in answers if one not in errors}
    assert [True] == ["unknown model 'nope'" in str(one) for one in errors]
    assert {str(number): float(number) for number in range(20) if number != 7} == results


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
            calls = [client.infer("sums", [tensor(np.full((1, 4), number, np.float32))]) for number in range(100)]
            return await asyncio.gather(*calls)

    with RunningServer(model, settings=ServerSettings(port=0, grpc_port=0)) as server:
        answers = asyncio.run(ask(server.grpc_address))

    assert [4.0 * number for number in range(100)] == [answer.as_numpy("sum")[0] for answer in answers]
    assert isinstance(session, FunctionSession)
    assert 100 == sum(session.batches)
    assert len(session.batches) < 60
