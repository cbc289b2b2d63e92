"""A model of BF16 in ONNX Runtime, asked over HTTP and gRPC: in batches, padded, from the cache, as classes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray

from modeldyno.bfloat16 import BF16, from_numbers, to_floats
from modeldyno.models.examine import examine
from modeldyno.policies.padding import PaddingPlan
from modeldyno.records.deployment import Batching, Buckets, Cache, Deployment, SessionSettings
from modeldyno.records.server import ServerSettings
from modeldyno.runtimes.onnx_runtime import OnnxRuntime
from modeldyno.server.models.merging import merge
from modeldyno.server.serving import ServedModel
from modeldyno.testing import models as samples
from modeldyno.testing.running_server import RunningServer
from modeldyno.testing.sessions import echo_signature
from modeldyno.wire.v2_client import decode_infer_response, encode_infer_request
from modeldyno.wire.v2_decoder import InferRequestDecoder

FACTOR = 3.0
ROWS = np.array([[1.0, -2.5], [0.0, 100.0]], np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("brain")
    path = samples.write_bfloat16_onnx(samples.write_scaled_onnx(folder / "fp32.onnx", FACTOR), folder / "bf16.onnx")
    signature = examine(path, trust=False).signature
    session = OnnxRuntime().open(path, signature, SessionSettings())
    deployment = Deployment(
        artifact="original",
        runtime="onnxruntime",
        batching=Batching(max_rows=64, max_delay_ns=20_000_000),
        cache=Cache(max_bytes=100_000),
    )
    model = ServedModel(
        name="brain", version="1", platform="onnx", signature=signature, sessions=[session], deployment=deployment
    )
    with RunningServer(model, settings=ServerSettings(port=0, grpc_port=0)) as running:
        yield running
    session.close()
    assert running.account is not None
    assert 0 == running.account.unaccounted


def asked(module: Any, rows: NDArray[np.float32]) -> Any:
    """An input of the clients, which take BF16 as float32 and cut it off."""
    tensor = module.InferInput("x", list(rows.shape), "BF16")
    tensor.set_data_from_numpy(rows)
    return tensor


def test_both_transports_give_what_the_model_computes(server: RunningServer) -> None:
    with tritonclient.http.InferenceServerClient(server.address) as over_http:
        in_http = over_http.infer("brain", [asked(tritonclient.http, ROWS)]).as_numpy("y")
    with tritonclient.grpc.InferenceServerClient(server.grpc_address) as over_grpc:
        in_grpc = over_grpc.infer("brain", [asked(tritonclient.grpc, ROWS)]).as_numpy("y")
    np.testing.assert_array_equal(ROWS * FACTOR, in_http)
    np.testing.assert_array_equal(ROWS * FACTOR, in_grpc)


def test_everybody_in_a_batch_and_asking_again_gets_the_answer_to_the_own_rows(server: RunningServer) -> None:
    def ask(number: int) -> list[list[float]]:
        rows = np.full((1, 2), number % 20, np.float32)
        with tritonclient.http.InferenceServerClient(server.address) as client:
            found: list[list[float]] = client.infer("brain", [asked(tritonclient.http, rows)]).as_numpy("y").tolist()
        return found

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(60)))
    assert [[[number % 20 * FACTOR] * 2] for number in range(60)] == answers


def test_classes_are_those_of_the_highest_values(server: RunningServer) -> None:
    with tritonclient.http.InferenceServerClient(server.address) as client:
        wish = tritonclient.http.InferRequestedOutput("y", class_count=1)
        found = client.infer("brain", [asked(tritonclient.http, ROWS)], outputs=[wish]).as_numpy("y")
    assert [[b"3.000000:0"], [b"300.000000:1"]] == found.tolist()


def test_a_raw_body_is_one_row_of_it(server: RunningServer) -> None:
    with server.connect() as client:
        reply = client.ask(
            "POST", "/v2/models/brain/infer", from_numbers(ROWS[:1]).tobytes(), Inference_Header_Content_Length="0"
        )
    found = decode_infer_response(reply.body, int(reply.headers["inference-header-content-length"]))
    np.testing.assert_array_equal(ROWS[:1] * FACTOR, to_floats(found["y"]))


@pytest.mark.parametrize(
    ("parameters", "said"),
    (
        ({"binary_data_output": True}, "BF16 has no JSON form; send it in binary"),
        ({}, "output 'y' is BF16, which has no JSON form"),
    ),
)
def test_json_is_refused_with_the_way_out(server: RunningServer, parameters: dict[str, bool], said: str) -> None:
    tensor = {"name": "x", "datatype": "BF16", "shape": [1, 2], "data": [1, 2]}
    body = json.dumps({"inputs": [tensor], "parameters": parameters})
    with server.connect() as client:
        reply = client.ask("POST", "/v2/models/brain/infer", body.encode())
    assert 400 == reply.status
    assert said in reply.body.decode()


def test_metadata_and_configuration_name_it_as_triton_does(server: RunningServer) -> None:
    with tritonclient.http.InferenceServerClient(server.address) as client:
        (tensor,) = client.get_model_metadata("brain")["inputs"]
        (configured,) = client.get_model_config("brain")["output"]
    assert ("BF16", [-1, 2]) == (tensor["datatype"], tensor["shape"])
    assert "TYPE_BF16" == configured["data_type"]


@pytest.mark.parametrize("value", (0.0, -1.0, 0.3))
def test_rows_of_unlike_lengths_are_padded_with_the_value_and_not_with_its_bytes(value: float) -> None:
    signature = echo_signature("BF16", ("batch", "seq"))
    batching = Batching(max_rows=8, buckets=(Buckets(dimension="seq", sizes=(4,)),), pad_value=value)
    decoder = InferRequestDecoder(signature)
    requests = [
        decoder.decode(*encode_infer_request({"x": from_numbers(np.full((1, length), 7.0))}, signature))
        for length in (1, 3)
    ]
    merged = merge(requests, PaddingPlan(signature, batching)).inputs["x"]

    assert BF16 == merged.dtype
    pad = to_floats(from_numbers(np.array(value))).item()
    assert [[7.0, pad, pad], [7.0, 7.0, 7.0]] == to_floats(merged).tolist()
