"""What `tritonclient` can do over HTTP only: JSON answers, a coding for each way, the admin port."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest
import tritonclient.http as triton
from tests.clients.four_clients import HttpAioClient, HttpClient

from modeldyno.records.server import ServerSettings
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.testing.sessions import echo, echo_signature

CODINGS = (None, "gzip", "deflate")
WIDE = np.arange(2000, dtype=np.float32).reshape(2, 1000)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    model = make_model(echo, echo_signature("FP32", ("batch", "wide")), name="echo", max_rows=8)
    with RunningServer(model, settings=ServerSettings(port=0, admin_port=0)) as running:
        yield running


@pytest.fixture(params=(HttpClient, HttpAioClient), ids=("blocking", "asyncio"))
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[[RunningServer], HttpClient]]:
    clients: list[HttpClient] = []

    def open_client(server: RunningServer) -> HttpClient:
        clients.append(request.param(server))
        return clients[-1]

    yield open_client
    for client in clients:
        client.close()


@pytest.mark.parametrize(("asked", "answered", "binary"), list(product(CODINGS, CODINGS, (True, False))))
def test_each_way_has_its_own_coding(
    server: RunningServer,
    connect: Callable[[RunningServer], HttpClient],
    asked: str | None,
    answered: str | None,
    *,
    binary: bool,
) -> None:
    tensor = triton.InferInput("x", [2, 1000], "FP32")
    tensor.set_data_from_numpy(WIDE)
    found = connect(server).ask(
        "infer",
        "echo",
        [tensor],
        outputs=[triton.InferRequestedOutput("y", binary_data=binary)],
        request_compression_algorithm=asked,
        response_compression_algorithm=answered,
    )
    np.testing.assert_array_equal(WIDE, found.as_numpy("y"))


def test_classes_come_as_text_in_json(server: RunningServer, connect: Callable[[RunningServer], HttpClient]) -> None:
    tensor = triton.InferInput("x", [1, 3], "FP32")
    tensor.set_data_from_numpy(np.array([[1, 5, 3]], np.float32), binary_data=False)
    wish = triton.InferRequestedOutput("y", binary_data=False, class_count=2)
    found = connect(server).ask("infer", "echo", [tensor], outputs=[wish])
    assert [["5.000000:1", "3.000000:2"]] == found.as_numpy("y").tolist()


def test_settings_are_changed_at_the_admin_port(
    server: RunningServer, connect: Callable[[RunningServer], HttpClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "url", server.admin_url)
    client = connect(server)
    assert client.ask("update_log_settings", {"log_info": True})["log_info"]
    assert ["OFF"] == client.ask("update_trace_settings", settings={"trace_level": ["OFF"]})["trace_level"]
    with pytest.raises(triton.InferenceServerException, match="tracing is not offered"):
        client.ask("update_trace_settings", model_name="echo", settings={"trace_level": ["TIMESTAMPS"]})
