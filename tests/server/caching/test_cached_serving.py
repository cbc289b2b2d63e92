"""The cache of a real server, over its protocols."""

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from numpy.typing import NDArray

from modeldyno.api.keys import create_key
from modeldyno.clock import SystemClock
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Cache
from modeldyno.records.server import ProtectionSettings, ServerSettings
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.protection.protection import Protection
from modeldyno.server.serving import ServedModel
from modeldyno.testing.running_server import RunningServer, http_request, infer_request, make_model
from modeldyno.testing.sessions import FunctionSession, echo, echo_signature

Serving = Callable[..., RunningServer]
CACHE = Cache(max_bytes=10**6)
ROWS = [[1.0, 2.0, 3.0, 4.0]]
TWO = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),),
    outputs=(
        TensorSpec(name="sum", datatype="FP32", shape=("batch",)),
        TensorSpec(name="double", datatype="FP32", shape=("batch", 4)),
    ),
)


def add_and_double(inputs: Tensors) -> dict[str, NDArray[np.generic]]:
    x = inputs["x"].astype(np.float32)
    return {"sum": x.sum(axis=1), "double": 2 * x}


def batches_of(model: ServedModel) -> list[int]:
    (session,) = model.sessions
    assert isinstance(session, FunctionSession)
    return session.batches


def ask_in_json(server: RunningServer, model: str, **more: object) -> dict[str, Any]:
    document = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": ROWS[0]}], **more}
    with server.connect() as client:
        reply = client.ask("POST", f"/v2/models/{model}/infer", json.dumps(document).encode())
    assert 200 == reply.status, reply.body
    answer: dict[str, Any] = json.loads(reply.body)
    return answer


def test_clients_of_all_forms_and_transports_share_one_computation(serving: Serving) -> None:
    model = make_model(add_and_double, TWO, name="two", cache=CACHE)
    server = serving(model, grpc_port=0)
    array = np.array(ROWS, np.float32)
    first = ask_in_json(server, "two", id="a", outputs=[{"name": "sum"}])
    assert ("a", ["sum"]) == (first["id"], [one["name"] for one in first["outputs"]])
    for module, address in ((triton, server.address), (triton_grpc, server.grpc_address)):
        tensor = module.InferInput("x", [1, 4], "FP32")
        tensor.set_data_from_numpy(array)
        with contextlib.closing(module.InferenceServerClient(address)) as client:
            answer = client.infer("two", [tensor], request_id="b", priority=1, timeout=10_000_000)
        assert [10.0] == answer.as_numpy("sum").tolist()
        assert (2 * array).tolist() == answer.as_numpy("double").tolist()
    assert [2.0, 4.0, 6.0, 8.0] == ask_in_json(server, "two", outputs=[{"name": "double"}])["outputs"][0]["data"]
    assert [1] == batches_of(model)


def test_models_and_versions_do_not_share_answers(serving: Serving) -> None:
    # In MLServer two models with the same payload do.
    one = make_model(lambda inputs: {"y": inputs["x"] + 1}, echo_signature("FP32", ("batch", 4)), name="m", cache=CACHE)
    two = make_model(
        lambda inputs: {"y": inputs["x"] + 2}, echo_signature("FP32", ("batch", 4)), name="m", version="2", cache=CACHE
    )
    other = make_model(echo, echo_signature("FP32", ("batch", 4)), name="other", cache=CACHE)
    server = serving(one, two, other)
    for _ in range(2):
        answers = [ask_in_json(server, name)["outputs"][0]["data"][0] for name in ("m/versions/1", "m", "other")]
        assert [2.0, 3.0, 1.0] == answers


def test_nan_is_answered_again_in_binary_and_refused_in_json(serving: Serving) -> None:
    model = make_model(echo, echo_signature("FP32", ("batch", 4)), name="echo", cache=CACHE)
    server = serving(model)
    array = np.array([[np.nan, np.inf, -0.0, 1]], np.float32)
    array.view(np.uint32)[0, 0] = 0x7FC12345
    tensor = triton.InferInput("x", [1, 4], "FP32")
    tensor.set_data_from_numpy(array)
    with contextlib.closing(triton.InferenceServerClient(server.address)) as client:
        for _ in range(2):
            with pytest.raises(Exception, match="NaN"):
                client.infer("echo", [tensor], outputs=[triton.InferRequestedOutput("y", binary_data=False)])
        answer = client.infer("echo", [tensor]).as_numpy("y")
    assert answer is not None
    assert array.tobytes() == answer.tobytes()
    assert [1] == batches_of(model)


def test_texts_are_answered_again(serving: Serving) -> None:
    model = make_model(echo, echo_signature("BYTES"), name="echo", cache=CACHE)
    server = serving(model)
    with contextlib.closing(triton.InferenceServerClient(server.address)) as client:
        for texts in ([b"ab", b"", b"\xff"], [b"a", b"b", b"\xff"], [b"ab", b"", b"\xff"]):
            tensor = triton.InferInput("x", [1, 3], "BYTES")
            tensor.set_data_from_numpy(np.array([texts], object))
            answer = client.infer("echo", [tensor]).as_numpy("y")
            assert answer is not None
            assert [texts] == answer.tolist()
    assert [1, 1] == batches_of(model)


def test_statistics_metrics_configuration_and_account_agree(serving: Serving) -> None:
    server = serving(make_model(cache=CACHE), make_model(name="plain"))
    with server.connect() as client:
        for value in (1, 2, 1, 1, 2):
            client.send(infer_request([[value, 0, 0, 0]]))
            assert 200 == client.read().status
        (entry,) = json.loads(client.ask("GET", "/v2/models/sums/stats").body)["model_stats"]
        metrics = client.ask("GET", "/metrics").body.decode()
        caches = [
            json.loads(client.ask("GET", f"/v2/models/{name}/config").body)["response_cache"]["enable"]
            for name in ("sums", "plain")
        ]
    times = entry["inference_stats"]
    counts = {name: times[name]["count"] for name in ("success", "queue", "compute_infer", "cache_hit", "cache_miss")}
    assert {"success": 5, "queue": 5, "compute_infer": 2, "cache_hit": 3, "cache_miss": 2} == counts
    assert (2, 2) == (entry["inference_count"], entry["execution_count"])
    assert min(times["cache_hit"]["ns"], times["cache_miss"]["ns"]) > 0
    assert 3 == times["cache_saved"]["count"]
    assert [True, False] == caches
    for name, value in (("hits", 3), ("misses", 2)):
        assert f'nv_cache_num_{name}_per_model{{model="sums",version="1"}} {value}\n' in metrics
    saved_s = re.findall(r"^modeldyno_cache_saved_seconds_total\{.*\} (\S+)$", metrics, re.MULTILINE)
    assert [False, True] == sorted(float(one) > 0 for one in saved_s)
    assert 1e9 * max(map(float, saved_s)) == pytest.approx(times["cache_saved"]["ns"])
    server.stop()
    server.join()
    assert server.account is not None
    assert (5, 5, 0) == (server.account.accepted, server.account.answered, server.account.unaccounted)


def test_holders_of_different_keys_do_not_share_answers(tmp_path: Path) -> None:
    secrets = [create_key(tmp_path / "keys.db", name).secret for name in ("one", "other")]
    model = make_model(cache=CACHE)
    files = ProtectionSettings(keys=str(tmp_path / "keys.db"))
    with (
        Protection(files, clock=SystemClock()) as protection,
        RunningServer(model, settings=ServerSettings(port=0), protection=protection) as server,
        server.connect() as client,
    ):
        for secret in (*secrets, *secrets):
            document = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": ROWS[0]}]}
            body = json.dumps(document).encode()
            client.send(http_request("POST", "/v2/models/sums/infer", body, X_API_Key=secret))
            assert 200 == client.read().status
    assert [1, 1] == batches_of(model)
