"""One table of cases for the protocol's four ordinary clients: `tritonclient` over HTTP and gRPC, blocking and asyncio.

What only one of the transports has is in `test_http_only.py` and `test_grpc_only.py`.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.clients.four_clients import FOUR, Client, Given, Refused, Wish, values_of
from tritonclient.utils import triton_to_np_dtype

from modeldyno.protocols import Tensors
from modeldyno.records.server import ServerSettings
from modeldyno.records.signature import DATATYPES, WITHOUT_JSON, Signature, TensorSpec
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.testing.sessions import echo, echo_signature

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
A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.array([[b"x"], [b"y"]], object)
ROW = np.array([[1, 2, 3, 4]], np.float32)


def double(inputs: Tensors) -> dict[str, NDArray[Any]]:
    return {"double": inputs["a"].astype(np.float32) * 2, "same": inputs["b"]}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Every datatype, in batches and without; a model of two tensors; sums in two versions."""
    models = [
        make_model(double, PAIR, name="pair", max_rows=8),
        make_model(name="sums", version="2", max_rows=8),
        make_model(name="sums", version="10", max_rows=8),
    ]
    for datatype in DATATYPES:
        models.append(make_model(echo, echo_signature(datatype), name=f"{datatype}-batch", max_rows=8))
        models.append(make_model(echo, echo_signature(datatype, (2, 3)), name=f"{datatype}-fixed"))
    with RunningServer(*models, settings=ServerSettings(port=0, grpc_port=0)) as running:
        yield running
    assert running.account is not None
    assert 0 == running.account.unaccounted


@pytest.fixture(params=FOUR, ids=[one.__name__ for one in FOUR])
def client(request: pytest.FixtureRequest, server: RunningServer) -> Iterator[Client]:
    one = request.param(server)
    yield one
    one.close()


def pair(*, in_binary: bool = True) -> list[Given]:
    return [Given("b", "BYTES", B), Given("a", "FP32", A, in_binary)]


FORMS = [
    (client, datatype, kind, in_binary, out_binary)
    for client, datatype, kind, in_binary, out_binary in product(
        FOUR, DATATYPES, ("batch", "fixed"), (True, False), (True, False)
    )
    if (in_binary and out_binary) or (client.has_json and datatype not in WITHOUT_JSON)  # else there is one form only
]


@pytest.mark.parametrize(
    ("client", "datatype", "kind", "in_binary", "out_binary"),
    FORMS,
    indirect=["client"],
    ids=[f"{one.__name__}-{kind}-{how}-{given:d}{got:d}" for one, kind, how, given, got in FORMS],
)
def test_every_datatype_comes_back_as_it_was_sent(
    client: Client, datatype: str, kind: str, *, in_binary: bool, out_binary: bool
) -> None:
    values = values_of(datatype, (2, 3))
    found = client.infer(
        f"{datatype}-{kind}",
        [Given("x", datatype, values, in_binary)],
        [Wish("y", out_binary)],
        request_id="r1",
        model_version="1",
    )
    answer = found.outputs["y"]
    if datatype == "BYTES" and not out_binary:
        answer = np.char.encode(answer.astype(str), "utf-8").astype(object)
    np.testing.assert_array_equal(values, answer)
    assert ("r1", f"{datatype}-{kind}", "1") == found.identity


def nan_and_infinity(client: Client) -> None:
    values = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(values, client.infer("FP32-batch", [Given("x", "FP32", values)]).outputs["y"])


def no_outputs_are_all(client: Client) -> None:
    found = client.infer("pair", pair())
    np.testing.assert_array_equal(2 * A, found.outputs["double"])
    np.testing.assert_array_equal(B, found.outputs["same"])


def json_and_binary_mixed(client: Client) -> None:
    np.testing.assert_array_equal(2 * A, client.infer("pair", pair(in_binary=False)).outputs["double"])


def one_output(client: Client) -> None:
    assert ["same"] == list(client.infer("pair", pair(), [Wish("same")]).outputs)


def outputs_in_the_order_asked_for(client: Client) -> None:
    assert ["same", "double"] == list(client.infer("pair", pair(), [Wish("same"), Wish("double")]).outputs)


def highest_classes(client: Client) -> None:
    classes = client.infer("pair", pair(), [Wish("double", classes=2)]).outputs["double"].tolist()
    assert [[b"4.000000:2", b"2.000000:1"], [b"10.000000:2", b"8.000000:1"]] == classes


def gzip_both_ways(client: Client) -> None:
    np.testing.assert_array_equal(2 * A, client.infer("pair", pair(), coding="gzip").outputs["double"])


def deflate_both_ways(client: Client) -> None:
    np.testing.assert_array_equal(2 * A, client.infer("pair", pair(), coding="deflate").outputs["double"])


def priority_timeout_and_unknown_parameters(client: Client) -> None:
    own = {"mine": "yes", "level": 3, "share": 0.5, "is": True}
    found = client.infer("pair", pair(), priority=1, timeout=60_000_000, parameters=own)
    np.testing.assert_array_equal(2 * A, found.outputs["double"])


def a_sequence_of_a_model_without_a_state(client: Client) -> None:
    found = client.infer("pair", pair(), sequence_id=7, sequence_start=True, sequence_end=True)
    np.testing.assert_array_equal(2 * A, found.outputs["double"])


def an_id_of_any_letters(client: Client) -> None:
    identity = 'ü "quoted" \\ 東'
    assert identity == client.infer("pair", pair(), request_id=identity).identity[0]


def no_id(client: Client) -> None:
    assert "" == client.infer("pair", pair()).identity[0]


def a_version(client: Client) -> None:
    given = [Given("x", "FP32", ROW)]
    assert "2" == client.infer("sums", given, model_version="2").identity[2]
    assert "10" == client.infer("sums", given).identity[2]  # the highest number


def many_rows(client: Client) -> None:
    rows = np.arange(32, dtype=np.float32).reshape(8, 4)
    np.testing.assert_array_equal(rows.sum(axis=1), client.infer("sums", [Given("x", "FP32", rows)]).outputs["sum"])


def health(client: Client) -> None:
    assert client.ask("is_server_live")
    assert client.ask("is_server_ready")
    assert client.ask("is_model_ready", "sums")
    assert client.ask("is_model_ready", "sums", "2")
    assert not client.ask("is_model_ready", "sums", "3")
    assert not client.ask("is_model_ready", "none")


def metadata(client: Client) -> None:
    said = client.ask("get_server_metadata")
    assert "modeldyno" == said["name"]
    assert {"binary_tensor_data", "model_configuration", "statistics", "classification"} <= set(said["extensions"])
    model = client.ask("get_model_metadata", "sums")
    assert ("sums", ["2", "10"]) == (model["name"], model["versions"])
    (tensor,) = model["inputs"]
    assert ("x", "FP32", [-1, 4]) == (tensor["name"], tensor["datatype"], [int(size) for size in tensor["shape"]])


def configuration(client: Client) -> None:
    said = client.ask("get_model_config", "sums", "2")
    config = said.get("config", said)
    (tensor,) = config["input"]
    assert ("sums", 8, "TYPE_FP32") == (config["name"], config["max_batch_size"], tensor["data_type"])
    assert [4] == [int(size) for size in tensor["dims"]]


def statistics(client: Client) -> None:
    def count() -> tuple[int, int]:
        (one,) = client.ask("get_inference_statistics", "sums", "2")["model_stats"]
        success = one["inference_stats"].get("success", {})  # a message leaves out what is 0
        return int(one.get("inference_count", 0)), int(success.get("count", 0))

    rows, requests = count()
    client.infer("sums", [Given("x", "FP32", np.ones((3, 4), np.float32))], model_version="2")
    assert (rows + 3, requests + 1) == count()
    assert len(client.ask("get_inference_statistics")["model_stats"]) > 20


def index(client: Client) -> None:
    said = client.ask("get_model_repository_index")
    models = said if isinstance(said, list) else said["models"]
    assert {("sums", "2"), ("sums", "10"), ("pair", "1")} <= {(one["name"], one["version"]) for one in models}
    assert {"READY"} == {one["state"] for one in models}


def settings(client: Client) -> None:
    logging = client.ask("get_log_settings")
    error = logging["settings"]["log_error"]["bool_param"] if "settings" in logging else logging["log_error"]
    assert error is True
    tracing = client.ask("get_trace_settings", "sums")
    level = tracing["settings"]["trace_level"]["value"] if "settings" in tracing else tracing["trace_level"]
    assert ["OFF"] == level


CASES = (
    nan_and_infinity, no_outputs_are_all, json_and_binary_mixed, one_output, outputs_in_the_order_asked_for,
    highest_classes, gzip_both_ways, deflate_both_ways, priority_timeout_and_unknown_parameters,
    a_sequence_of_a_model_without_a_state, an_id_of_any_letters, no_id, a_version, many_rows,
    health, metadata, configuration, statistics, index, settings,
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_all_four_clients_are_answered_alike(client: Client, case: Callable[[Client], None]) -> None:
    case(client)


def infers(model: str, *inputs: Given, outputs: tuple[Wish, ...] = (), **more: Any) -> Callable[[Client], object]:
    """What a client is to do, when there is one."""
    return lambda client: client.infer(model, inputs, outputs, **more)


X = Given("x", "FP32", ROW)
BF16 = Given("x", "BF16", ROW.astype(triton_to_np_dtype("BF16")))
REFUSED = (
    ("an unknown model", infers("none", X), "404", "NOT_FOUND", "unknown model 'none'"),
    ("an unknown version", infers("sums", X, model_version="7"), "404", "NOT_FOUND", "has no version '7'"),
    ("an unknown input", infers("sums", X._replace(name="z")), "400", "INVALID_ARGUMENT", "unknown input 'z'"),
    ("an input twice", infers("sums", X, X), "400", "INVALID_ARGUMENT", "given twice"),
    ("an input too few", infers("pair", pair()[0]), "400", "INVALID_ARGUMENT", "'a' is missing"),
    ("an unknown output", infers("sums", X, outputs=(Wish("z"),)), "400", "INVALID_ARGUMENT", "unknown output 'z'"),
    (
        "another datatype",
        infers("sums", Given("x", "INT32", ROW.astype(np.int32))),
        "400",
        "INVALID_ARGUMENT",
        "is FP32",
    ),
    ("BF16 for FP32", infers("sums", BF16), "400", "INVALID_ARGUMENT", "is FP32, not 'BF16'"),
    ("another rank", infers("sums", Given("x", "FP32", ROW[0])), "400", "INVALID_ARGUMENT", "shape"),
    ("another size", infers("sums", Given("x", "FP32", A)), "400", "INVALID_ARGUMENT", "shape"),
    ("no rows", infers("sums", Given("x", "FP32", ROW[:0])), "400", "INVALID_ARGUMENT", "shape"),
    ("a deadline that has passed", infers("sums", X, timeout=1), "504", "DEADLINE_EXCEEDED", "deadline"),
    ("metadata of no model", lambda one: one.ask("get_model_metadata", "none"), "404", "NOT_FOUND", "unknown model"),
    ("a load on the main port", lambda one: one.ask("load_model", "sums"), "403", "PERMISSION_DENIED", "admin port"),
    ("an unload there", lambda one: one.ask("unload_model", "sums"), "403", "PERMISSION_DENIED", "admin port"),
    (
        "a change of the log there",
        lambda one: one.ask("update_log_settings", {"log_info": True}),
        "403",
        "PERMISSION_DENIED",
        "admin port",
    ),
)


@pytest.mark.parametrize(
    ("ask", "http_status", "grpc_status", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_all_four_clients_are_refused_alike_and_told_why(
    client: Client, ask: Callable[[Client], object], http_status: str, grpc_status: str, said: str
) -> None:
    with pytest.raises(Refused, match=said) as caught:
        ask(client)
    assert (http_status if client.has_json else grpc_status) == client.status(caught.value)
    assert client.ask("is_server_live")
