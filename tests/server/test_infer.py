"""Inference with the protocol's public client, and what it looks like on the wire."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray
from tritonclient.utils import triton_to_np_dtype

from modeldyno.bfloat16 import from_numbers, to_floats
from modeldyno.protocols import Tensors
from modeldyno.records.signature import DATATYPES, WITHOUT_JSON
from modeldyno.testing.running_server import RunningServer, infer_request, make_model
from modeldyno.testing.sessions import echo, echo_signature, sum_rows

Serving = Callable[..., RunningServer]
Outputs = dict[str, NDArray[np.generic]]


def values_of(datatype: str) -> NDArray[Any]:
    if datatype == "BYTES":
        return np.array([[b"", b"a", "ü".encode()], [b"long " * 50, b'"', b"\n"]], object)
    if datatype == "BOOL":
        return np.array([[True, False, True], [False, False, True]])
    dtype = np.dtype(triton_to_np_dtype(datatype))
    if dtype.kind == "f":
        numbers = np.array([[0, -1.5, 2], [1e-3, 1e4, np.finfo(dtype).max]], dtype)
        return to_floats(from_numbers(numbers)) if datatype == "BF16" else numbers
    limits = np.iinfo(dtype)
    return np.array([[0, 1, 2], [limits.min, limits.max, 3]], dtype)


@pytest.mark.parametrize("in_binary", (True, False))
@pytest.mark.parametrize("out_binary", (True, False))
@pytest.mark.parametrize("datatype", sorted(DATATYPES))
def test_the_public_client_gets_back_what_it_sent(
    serving: Serving, datatype: str, *, in_binary: bool, out_binary: bool
) -> None:
    if datatype in WITHOUT_JSON and not (in_binary and out_binary):
        pytest.skip("it has no JSON form")
    server = serving(make_model(echo, echo_signature(datatype), name="echo"))
    values = values_of(datatype)
    tensor = triton.InferInput("x", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=in_binary)
    client = triton.InferenceServerClient(server.address)
    try:
        result = client.infer(
            "echo", [tensor], outputs=[triton.InferRequestedOutput("y", binary_data=out_binary)], request_id="r1"
        )
    finally:
        client.close()
    assert result.get_response()["id"] == "r1"
    answer = result.as_numpy("y")
    if datatype == "BYTES" and not out_binary:
        answer = np.char.encode(answer.astype(str), "utf-8").astype(object)
    np.testing.assert_array_equal(values, answer)


def test_the_public_client_shows_the_servers_reason(serving: Serving) -> None:
    server = serving(make_model())
    client = triton.InferenceServerClient(server.address)
    tensor = triton.InferInput("wrong", [1, 4], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 4), np.float32))
    try:
        with pytest.raises(triton.InferenceServerException, match="unknown input 'wrong'; the model takes 'x'"):
            client.infer("sums", [tensor])
    finally:
        client.close()


def test_a_raw_request_is_answered_in_binary(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        body = np.array([1, 2, 3, 4], np.float32).tobytes()
        reply = client.ask("POST", "/v2/models/sums/infer", body, Inference_Header_Content_Length="0")
        header_length = int(reply.headers["inference-header-content-length"])
        assert np.frombuffer(reply.body[header_length:], np.float32).tolist() == [10.0]


@pytest.mark.parametrize("text", ("abc", "-1", "1.5", "9" * 30, "+3", ""))
def test_a_header_length_that_is_no_number_is_400(serving: Serving, text: str) -> None:
    with serving(make_model()).connect() as client:
        reply = client.ask("POST", "/v2/models/sums/infer", b"{}", Inference_Header_Content_Length=text)
        assert reply.status == 400
        assert "error" in json.loads(reply.body)


def test_nan_in_a_json_answer_is_refused_and_told_the_way_out(serving: Serving) -> None:
    def give_nan(inputs: Tensors) -> Outputs:
        return {"sum": np.full(len(inputs["x"]), np.nan, np.float32)}

    server = serving(make_model(give_nan))
    with server.connect() as client:
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
        reply = client.ask("POST", "/v2/models/sums/infer", json.dumps({"inputs": [tensor]}).encode())
        assert reply.status == 400
        assert "binary output" in json.loads(reply.body)["error"]
        client.send(infer_request([[1, 2, 3, 4]]))
        assert client.read().status == 200


@pytest.mark.parametrize(
    ("compute", "reason"),
    (
        (lambda _: {}, "gave no output 'sum'"),
        (lambda inputs: {"sum": sum_rows(inputs)["sum"][1:]}, "for a batch of 2 rows"),
        (lambda inputs: {"sum": sum_rows(inputs)["sum"].astype(np.float64)}, "float64"),
        (lambda inputs: {"sum": inputs["nothing"]}, "the model failed: KeyError"),
    ),
)
def test_a_model_that_misbehaves_is_500_without_a_traceback_and_the_server_goes_on(
    serving: Serving, compute: Callable[[Tensors], Outputs], reason: str
) -> None:
    server = serving(make_model(compute), make_model(name="good"))
    with server.connect() as client:
        client.send(infer_request([[1, 2, 3, 4], [5, 6, 7, 8]]))
        reply = client.read()
        assert reply.status == 500
        assert reason in json.loads(reply.body)["error"]
        assert b"Traceback" not in reply.body
        client.send(infer_request([[1, 2, 3, 4]], model="good"))
        assert client.read().status == 200
    server.stop()
    server.join()
    assert server.account is not None
    assert (2, 1, 1) == (server.account.accepted, server.account.answered, server.account.failed)


def test_the_servers_own_times_leave_no_gap(serving: Serving) -> None:
    with serving(make_model(), server_timing=True).connect() as client:
        client.send(infer_request([[1, 2, 3, 4]]))
        header = client.read().headers["server-timing"]
    times = {name: float(text) for name, text in re.findall(r"(\w+);dur=(\d+\.\d{6})", header)}
    assert ["preprocess", "queue", "inference", "postprocess", "total"] == list(times)
    assert times.pop("total") == pytest.approx(sum(times.values()), abs=1e-5)


def test_without_being_told_to_the_server_sends_no_times(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        client.send(infer_request([[1, 2, 3, 4]]))
        assert "server-timing" not in client.read().headers


def test_a_model_without_a_batch_dimension_is_served(serving: Serving) -> None:
    server = serving(make_model(echo, echo_signature("FP32", (2, 2)), name="fixed", max_rows=8))
    with server.connect() as client:
        tensor = {"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [[1, 2], [3, 4]]}
        client.send(b"")
        reply = client.ask("POST", "/v2/models/fixed/infer", json.dumps({"inputs": [tensor]}).encode())
        assert json.loads(reply.body)["outputs"][0]["data"] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("accepted", "binary", "coding"),
    (
        ("gzip", True, "gzip"),
        ("deflate", True, "deflate"),
        ("gzip, deflate", True, None),
        ("gzip, deflate", False, "gzip"),
        ("identity", False, None),
    ),
)
def test_a_list_that_libraries_send_unasked_compresses_text_only(
    serving: Serving, accepted: str, *, binary: bool, coding: str | None
) -> None:
    signature = echo_signature("FP32", ("batch", 500))
    server = serving(make_model(echo, signature, name="echo"))
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 500], "data": [1.5] * 500}
    document = {"inputs": [tensor], "outputs": [{"name": "y", "parameters": {"binary_data": binary}}]}
    with server.connect() as client:
        reply = client.ask("POST", "/v2/models/echo/infer", json.dumps(document).encode(), Accept_Encoding=accepted)
        assert (200, coding) == (reply.status, reply.headers.get("content-encoding"))
        assert "Accept-Encoding" == reply.headers["vary"]


def test_a_small_answer_is_not_compressed(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
        body = json.dumps({"inputs": [tensor]}).encode()
        reply = client.ask("POST", "/v2/models/sums/infer", body, Accept_Encoding="gzip")
        assert "content-encoding" not in reply.headers
