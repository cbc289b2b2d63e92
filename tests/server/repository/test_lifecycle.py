"""Models are loaded, changed and unloaded while requests go on, over real connections."""

import gc
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.server.shelf import BrokenError, Shelf, make_broken

from modeldyno.api.conforming import conform
from modeldyno.clock import SystemClock
from modeldyno.loadgen.dialects.v2_http import offered_models
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Deployment
from modeldyno.records.server import ServerSettings
from modeldyno.server.models.service import ModelService, ServedModel
from modeldyno.server.serving import Server
from modeldyno.testing.running_server import Client, HttpReply, RunningServer, infer_request, make_model
from modeldyno.testing.sessions import sum_rows

MODELS = "/v2/repository/models"


def multiplied(factor: int, inputs: Tensors) -> dict[str, Any]:
    return {"sum": sum_rows(inputs)["sum"] * factor}


def version(number: int, **options: Any) -> Callable[[], ServedModel]:
    """A model whose answers are the sums times its version."""
    return partial(make_model, partial(multiplied, number), version=str(number), **options)


class Gated:
    """A model whose batches end when the gate opens."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()

    def __call__(self, inputs: Tensors) -> dict[str, Any]:
        self.entered.set()
        assert self.gate.wait(30)
        return sum_rows(inputs)

    def make(self) -> ServedModel:
        return make_model(self)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(sums=[version(1)])


@pytest.fixture
def start(shelf: Shelf) -> Iterator[Callable[..., RunningServer]]:
    servers = []

    def start(**settings: Any) -> RunningServer:
        server = RunningServer(settings=ServerSettings(port=0, admin_port=0, **settings), source=shelf)
        servers.append(server.__enter__())
        return server

    yield start
    shelf.gate.set()
    for server in servers:
        server.__exit__(None, None, None)
        assert server.account is not None
        assert 0 == server.account.unaccounted


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def admin(server: RunningServer, path: str, body: bytes = b"") -> tuple[int, Any]:
    with server.connect_to(server.admin_url) as client:
        reply = client.ask("POST", path, body)
        return reply.status, json.loads(reply.body)


def load(server: RunningServer, name: str = "sums", body: bytes = b"") -> tuple[int, Any]:
    return admin(server, f"{MODELS}/{name}/load", body)


def unload(server: RunningServer, name: str = "sums", body: bytes = b"") -> tuple[int, Any]:
    return admin(server, f"{MODELS}/{name}/unload", body)


def index(server: RunningServer, body: bytes = b"") -> dict[str, tuple[str, str]]:
    status, models = admin(server, "/v2/repository/index", body)
    assert 200 == status
    return {f"{one['name']} {one['version']}": (one["state"], one["reason"]) for one in models}


def infer(client: Client, model: str = "sums") -> tuple[int, str, float]:
    """Status, version and answer of the row of ones."""
    client.send(infer_request([[1, 1, 1, 1]], model=model))
    return answer_of(client.read())


def answer_of(reply: HttpReply) -> tuple[int, str, float]:
    if reply.status != 200:
        return reply.status, json.loads(reply.body)["error"], 0
    length = int(reply.headers["inference-header-content-length"])
    (value,) = memoryview(reply.body[length:]).cast("f")
    return 200, json.loads(reply.body[:length])["model_version"], value


def waiting_loads(server: RunningServer) -> int:
    """How many wait for a load of `sums` that has not begun."""
    lifecycle = server._server.lifecycle
    assert lifecycle is not None
    return sum(len(change.dones) for change in lifecycle._changes.get("sums", [])[1:])


def wait_for(condition: Callable[[], bool]) -> None:
    patience = threading.Event()
    for _ in range(3000):
        if condition():
            return
        patience.wait(0.01)
    raise TimeoutError("not within 30 s")


def test_a_load_switches_to_the_new_version_and_closes_the_old(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    server = start()
    with server.connect() as client:
        assert (200, "1", 4) == infer(client)
        shelf.models["sums"] = [version(2)]
        assert (200, {}) == load(server)
        assert (200, "2", 8) == infer(client)
    assert shelf.wait_closed(0)
    assert {"sums 2": ("READY", "")} == index(server)


def test_a_model_that_was_not_there_at_the_start_can_be_loaded(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    server = start()
    shelf.models["other"] = [version(3, name="other")]
    assert ("UNAVAILABLE", "not loaded") == index(server)["other 3"]
    assert (200, {}) == load(server, "other")
    with server.connect() as client:
        assert (200, "3", 12) == infer(client, "other")
        assert (200, "1", 4) == infer(client)


def test_a_load_that_fails_keeps_what_is_served_and_says_why(start: Callable[..., RunningServer], shelf: Shelf) -> None:
    server = start()
    shelf.models["sums"] = [version(2)]
    shelf.problem = BrokenError("model.onnx is not the file that was bundled", why="its digest differs")
    status, answer = load(server)
    assert 400 == status
    assert "failed to load 'sums': model.onnx is not the file that was bundled: its digest differs" == answer["error"]
    with server.connect() as client:
        assert (200, "1", 4) == infer(client)
        assert 200 == client.ask("GET", "/v2/health/ready").status
    states = index(server)
    assert ("READY", "") == states["sums 1"]
    assert ("UNAVAILABLE", answer["error"]) == states["sums 2"]
    shelf.problem = None
    assert (200, {}) == load(server)
    assert {"sums 2": ("READY", "")} == index(server)


def test_a_fault_while_opening_is_500_and_logged(
    start: Callable[..., RunningServer], shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    server = start()
    shelf.problem = RuntimeError("out of luck")
    with caplog.at_level(logging.ERROR):
        status, answer = load(server)
    assert (500, "failed to load 'sums': RuntimeError: out of luck") == (status, answer["error"])
    assert "could not be opened" in caplog.text


def test_settings_that_contradict_one_another_are_found_before_anything_changes(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    server = start()
    batching = Batching(max_rows=1, preferred_rows=(9,))
    wrong = Deployment(artifact="fake", runtime="onnxruntime", batching=batching)
    shelf.models["sums"] = [version(2), lambda: replace(make_model(version="3"), deployment=wrong)]
    status, answer = load(server)
    assert 400 == status
    assert "9 rows are preferred" in answer["error"]
    assert {"sums 1": ("READY", "")} == index(server, b'{"ready":true}')
    assert ["1"] == shelf.still_open


@pytest.mark.parametrize("verb", ("load", "unload"))
def test_a_name_that_is_not_there_is_404(start: Callable[..., RunningServer], verb: str) -> None:
    status, answer = admin(start(), f"{MODELS}/nothing/{verb}")
    assert 404 == status
    assert "nothing" in answer["error"]


def test_requests_under_way_are_answered_by_the_version_they_were_given_to(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    gated = Gated()
    shelf.models["sums"] = [gated.make]
    server = start()
    with server.connect() as slow, server.connect() as client:
        slow.send(infer_request([[1, 1, 1, 1]]))
        assert gated.entered.wait(30)
        shelf.models["sums"] = [version(2)]
        assert (200, {}) == load(server)
        assert (200, "2", 8) == infer(client)
        assert {"sums 2": ("READY", ""), "sums 1": ("UNLOADING", "it answers the requests it has accepted")} == index(
            server
        )
        assert not shelf.opened[0].closed.is_set()
        gated.gate.set()
        assert (200, "1", 4) == answer_of(slow.read())
    assert shelf.wait_closed(0)


def test_an_unload_answers_what_was_accepted_and_refuses_what_comes_after(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    gated = Gated()
    shelf.models["sums"] = [gated.make]
    server = start()
    with server.connect() as slow, server.connect() as client:
        slow.send(infer_request([[1, 1, 1, 1]]))
        assert gated.entered.wait(30)
        assert (200, {}) == unload(server)
        assert (404, "model 'sums' has no available versions: it was unloaded", 0) == infer(client)
        assert 404 == client.ask("GET", "/v2/models/sums/ready").status
        assert 404 == client.ask("GET", "/v2/models/sums/versions/1").status
        assert 200 == client.ask("GET", "/v2/health/ready").status
        assert "UNLOADING" == index(server)["sums 1"][0]
        gated.gate.set()
        assert (200, "1", 4) == answer_of(slow.read())
    assert shelf.wait_closed(0)
    wait_for(lambda: index(server) == {"sums 1": ("UNAVAILABLE", "unloaded")})
    assert {} == index(server, b'{"ready":true}')


def test_clients_that_look_for_a_model_pass_over_those_that_are_not_served(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    shelf.models["other"] = [version(1, name="other")]
    server = start()
    assert ["other", "sums"] == offered_models(server.url)
    unload(server, "other")
    assert ["sums"] == offered_models(server.url)
    assert ("sums",) == conform(server.url, rules=["extensions.repository"]).models


def test_an_unload_twice_is_no_error_and_a_load_brings_the_model_back(start: Callable[..., RunningServer]) -> None:
    server = start()
    assert [(200, {})] * 2 == [unload(server), unload(server)]
    assert (200, {}) == load(server)
    with server.connect() as client:
        assert (200, "1", 4) == infer(client)


def test_what_does_not_end_within_the_limit_after_an_unload_is_told_so_and_counted_as_lost(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    gated = Gated()
    shelf.models["sums"] = [gated.make]
    server = start(drain_timeout_ns=50_000_000)
    with server.connect() as slow:
        slow.send(infer_request([[1, 1, 1, 1]]))
        assert gated.entered.wait(30)
        assert (200, {}) == unload(server)
        assert (503, "the model was unloaded before this was answered; ask again", 0) == answer_of(slow.read())
    assert shelf.wait_closed(0)
    gated.gate.set()
    server.stop()
    server.join()
    assert server.account is not None
    assert (1, 1) == (server.account.accepted, server.account.lost)


def test_those_who_ask_for_the_same_while_a_load_is_under_way_share_the_next(
    start: Callable[..., RunningServer], shelf: Shelf, pool: ThreadPoolExecutor
) -> None:
    server = start()
    shelf.gate.clear()
    first = pool.submit(load, server)
    wait_for(lambda: shelf.attempts == 2)
    shelf.models["sums"] = [version(2)]
    others = [pool.submit(load, server) for _ in range(4)]
    wait_for(lambda: waiting_loads(server) == 4)
    with server.connect() as client:
        assert (200, "1", 4) == infer(client)
        shelf.gate.set()
        assert [(200, {})] * 5 == [one.result(30) for one in (first, *others)]
        assert (200, "2", 8) == infer(client)
    assert 3 == shelf.attempts
    assert shelf.wait_closed(0, 1)


def test_a_load_and_an_unload_of_one_model_are_made_in_the_order_in_which_they_came(
    start: Callable[..., RunningServer], shelf: Shelf, pool: ThreadPoolExecutor
) -> None:
    server = start()
    shelf.gate.clear()
    loading: Future[tuple[int, Any]] = pool.submit(load, server)
    wait_for(lambda: shelf.attempts == 2)
    with server.connect_to(server.admin_url) as client:
        client.send(f"POST {MODELS}/sums/unload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
        wait_for(lambda: index(server) == {"sums 1": ("READY", "")})
        shelf.gate.set()
        assert (200, {}) == loading.result(30)
        assert 200 == client.read().status
    assert shelf.wait_closed(0, 1)
    assert ("UNAVAILABLE", "unloaded") == index(server)["sums 1"]


def test_another_model_can_be_loaded_while_one_is_being_opened(
    start: Callable[..., RunningServer], shelf: Shelf, pool: ThreadPoolExecutor
) -> None:
    server = start()
    shelf.models["other"] = [version(1, name="other")]
    assert (200, {}) == load(server, "other")
    shelf.gate.clear()
    one, other = pool.submit(load, server), pool.submit(load, server, "other")
    wait_for(lambda: shelf.attempts == 4)
    shelf.gate.set()
    assert [(200, {})] * 2 == [one.result(30), other.result(30)]


def test_health_and_inference_are_answered_while_a_model_is_being_opened(
    start: Callable[..., RunningServer], shelf: Shelf, pool: ThreadPoolExecutor
) -> None:
    server = start()
    shelf.models["new"] = [version(1, name="new")]
    shelf.gate.clear()
    loading = pool.submit(load, server, "new")
    wait_for(lambda: index(server)["new 1"] == ("LOADING", ""))
    with server.connect() as client:
        assert (200, "1", 4) == infer(client)
        assert 200 == client.ask("GET", "/v2/health/ready").status
    shelf.gate.set()
    assert (200, {}) == loading.result(30)


def test_a_model_that_hangs_while_it_is_opened_is_given_up_and_closed_when_it_ends_after_all(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    server = start(load_timeout_ns=50_000_000)
    shelf.models["sums"] = [version(2)]
    shelf.gate.clear()
    assert (503, "failed to load 'sums': it was not opened within 0.05 s") == (
        (answered := load(server))[0],
        answered[1]["error"],
    )
    status, answer = load(server)
    assert 503 == status
    assert "still being opened" in answer["error"]
    assert "UNAVAILABLE" == index(server)["sums 2"][0]
    shelf.gate.set()
    assert shelf.wait_closed(1)
    wait_for(lambda: load(server)[0] == 200)
    with server.connect() as client:
        assert (200, "2", 8) == infer(client)


def test_a_server_that_drains_loads_nothing_and_ends_while_a_model_is_being_opened(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    server = start()
    with server.connect_to(server.admin_url) as waiting, server.connect_to(server.admin_url) as late:
        shelf.gate.clear()
        waiting.send(f"POST {MODELS}/sums/load HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
        wait_for(lambda: shelf.attempts == 2)
        late.send(f"POST {MODELS}/sums/load HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n".encode())
        server.stop()
        assert 503 == waiting.read().status
        late.send(b"{}" + b" " * 98)
        assert 503 == late.read().status
    shelf.gate.set()
    server.join()
    assert [] == shelf.still_open


def test_a_hung_opening_does_not_keep_the_server_from_ending(start: Callable[..., RunningServer], shelf: Shelf) -> None:
    server = start(load_timeout_ns=50_000_000)
    shelf.gate.clear()
    assert 503 == load(server)[0]
    server.stop()
    server.join()
    shelf.gate.set()
    assert shelf.wait_closed(0, 1)


def test_all_that_was_opened_is_closed_at_the_end(start: Callable[..., RunningServer], shelf: Shelf) -> None:
    shelf.models["other"] = [version(1, name="other"), version(2, name="other")]
    server = start()
    load(server, "other")
    server.stop()
    server.join()
    assert shelf.wait_closed(*range(len(shelf.opened)))


def test_of_several_versions_those_that_are_no_longer_to_be_served_are_drained(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    shelf.models["sums"] = [version(1), version(2)]
    server = start()
    with server.connect() as client:
        assert (200, "2", 8) == infer(client)
        assert (200, {}) == unload(server)
        shelf.models["sums"] = [version(2), version(3)]
        assert (200, {}) == load(server)
        assert (200, "3", 12) == infer(client)
        assert 404 == client.ask("GET", "/v2/models/sums/versions/1").status
        document = json.loads(client.ask("GET", "/v2/models/sums").body)
        assert ["2", "3"] == document["versions"]


@pytest.mark.parametrize(
    ("verb", "parameters"), (("load", {"config": "{}"}), ("load", {"file:1/model.onnx": "AAAA"}), ("unload", {"x": 1}))
)
def test_what_would_change_a_bundle_is_refused(
    start: Callable[..., RunningServer], shelf: Shelf, verb: str, parameters: dict[str, Any]
) -> None:
    body = json.dumps({"parameters": parameters}).encode()
    status, answer = admin(start(), f"{MODELS}/sums/{verb}", body)
    assert 400 == status
    assert next(iter(parameters)) in answer["error"]
    assert (verb == "load") == ("as its bundle says" in answer["error"])
    assert 1 == shelf.attempts


@pytest.mark.parametrize("body", (b"", b"{}", b'{"parameters":{"unload_dependents":true}}'))
def test_an_unload_of_dependents_is_the_same_since_there_are_none(
    start: Callable[..., RunningServer], body: bytes
) -> None:
    assert (200, {}) == unload(start(), body=body)


def test_what_is_not_json_is_refused(start: Callable[..., RunningServer]) -> None:
    server = start()
    assert 400 == load(server, body=b"[")[0]
    assert 400 == load(server, body=b'{"parameters":[]}')[0]


def test_the_main_port_loads_nothing(start: Callable[..., RunningServer], shelf: Shelf) -> None:
    with start().connect() as client:
        assert 403 == client.ask("POST", f"{MODELS}/sums/load").status
        extensions = json.loads(client.ask("GET", "/v2").body)["extensions"]
    assert {"model_repository", "model_repository(unload_dependents)"} <= set(extensions)
    assert 1 == shelf.attempts


def test_triton_clients_load_and_unload_over_http_and_grpc(start: Callable[..., RunningServer], shelf: Shelf) -> None:
    import tritonclient.grpc
    import tritonclient.http

    server = start(grpc_port=0, admin_grpc_port=0)
    over_http = tritonclient.http.InferenceServerClient(server.admin_url.removeprefix("http://"))
    with tritonclient.grpc.InferenceServerClient(server.admin_grpc_address) as over_grpc:
        for client in (over_http, over_grpc):
            client.unload_model("sums", unload_dependents=True)
            assert not client.is_model_ready("sums")
            client.load_model("sums")
            assert client.is_model_ready("sums")
            with pytest.raises(tritonclient.http.InferenceServerException, match="no model of this name"):
                client.load_model("nothing")
            with pytest.raises(tritonclient.http.InferenceServerException, match="config"):
                client.load_model("sums", config="{}")
        (entry,) = over_grpc.get_model_repository_index().models
        assert ("sums", "1", "READY") == (entry.name, entry.version, entry.state)
    over_http.close()
    with (
        tritonclient.grpc.InferenceServerClient(server.grpc_address) as client,
        pytest.raises(tritonclient.http.InferenceServerException, match="admin port"),
    ):
        client.load_model("sums")
    assert 3 == shelf.attempts


def test_a_grpc_client_that_gives_up_on_a_load_harms_nothing(start: Callable[..., RunningServer], shelf: Shelf) -> None:
    import tritonclient.grpc

    server = start(admin_grpc_port=0)
    shelf.models["sums"] = [version(2)]
    shelf.gate.clear()
    with tritonclient.grpc.InferenceServerClient(server.admin_grpc_address) as client:
        with pytest.raises(tritonclient.grpc.InferenceServerException, match=r"(?i)deadline"):
            client.load_model("sums", client_timeout=0.2)
        shelf.gate.set()
        wait_for(lambda: index(server) == {"sums 2": ("READY", "")})
        assert client.is_server_live()


def test_metrics_and_statistics_never_go_back(start: Callable[..., RunningServer], shelf: Shelf) -> None:
    server = start()
    with server.connect() as client:
        for round_ in range(1, 4):
            infer(client)
            assert f'nv_inference_request_success{{model="sums",version="1"}} {round_}\n' in metrics_of(client)
            (statistics,) = json.loads(client.ask("GET", "/v2/models/sums/stats").body)["model_stats"]
            assert round_ == statistics["inference_stats"]["success"]["count"]
            assert (200, {}) == load(server)
        assert (200, {}) == unload(server)
        assert 'nv_inference_request_success{model="sums",version="1"} 3\n' in metrics_of(client)


def metrics_of(client: Client) -> str:
    return client.ask("GET", "/metrics").body.decode()


def test_a_client_that_leaves_before_its_load_is_done_harms_nothing(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    server = start()
    shelf.models["sums"] = [version(2)]
    shelf.gate.clear()
    with server.connect_to(server.admin_url) as client:
        client.send(f"POST {MODELS}/sums/load HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
        wait_for(lambda: shelf.attempts == 2)
    shelf.gate.set()
    wait_for(lambda: index(server) == {"sums 2": ("READY", "")})


def count_services() -> int:
    """In memory, of the whole process."""
    gc.collect()
    # `isinstance` asks every object for its class, and some of PyTorch's, where it was imported before, warn of that.
    return sum(type(one) is ModelService for one in gc.get_objects())


def test_two_hundred_loads_leave_no_threads_files_or_sessions_behind(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    server = start()
    with server.connect() as client, server.connect_to(server.admin_url) as admin_client:

        def load_many(times: int) -> None:
            for _ in range(times):
                assert 200 == admin_client.ask("POST", f"{MODELS}/sums/load").status
                assert (200, "1", 4) == infer(client)
            assert shelf.wait_closed(*range(len(shelf.opened) - 1))

        def held() -> tuple[int, int]:
            return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

        load_many(5)
        wait_for(lambda: not any(one.name == "close-model" for one in threading.enumerate()))
        before, services = held(), count_services()
        load_many(200)
        # Fewer are no leak: what an earlier test left behind may have ended meanwhile.
        wait_for(lambda: all(now <= then for now, then in zip(held(), before, strict=True)))
        assert 5 > count_services() - services
    assert ["1"] == shelf.still_open


def test_a_broken_model_keeps_the_server_from_starting(shelf: Shelf) -> None:
    shelf.models["broken"] = [make_broken]
    with pytest.raises(BrokenError, match="cannot be opened"):
        start_and_end(shelf, ServerSettings(port=0))
    shelf.models = {"a": [make_broken], "b": [version(1, name="b")]}
    with pytest.raises(BrokenError, match="cannot be opened"):
        start_and_end(shelf, ServerSettings(port=0))
    assert [] == shelf.still_open


def test_a_broken_model_can_be_skipped_and_is_in_the_index_with_its_reason(
    start: Callable[..., RunningServer], shelf: Shelf
) -> None:
    shelf.models["broken"] = [make_broken]
    server = start(skip_broken=True)
    assert {"broken 1": ("UNAVAILABLE", "cannot be opened"), "sums 1": ("READY", "")} == index(server)
    with server.connect() as client:
        assert 200 == client.ask("GET", "/v2/health/ready").status


def test_a_server_all_of_whose_models_are_broken_does_not_start_even_so(shelf: Shelf) -> None:
    shelf.problem = BrokenError("no such luck")
    with pytest.raises(BrokenError, match="no such luck"):
        start_and_end(shelf, ServerSettings(port=0, skip_broken=True))


def start_and_end(shelf: Shelf, settings: ServerSettings) -> None:
    server = Server((), settings, clock=SystemClock(), source=shelf)
    server.run(lambda _url: server.stop())


def test_a_model_that_fails_its_own_sample_is_not_ready_until_it_is_loaded_anew(
    start: Callable[..., RunningServer], shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(inputs: Tensors) -> dict[str, Any]:
        raise ValueError("not today")

    probe = {"x": np.ones((1, 4), np.float32)}
    shelf.models["sums"] = [lambda: replace(make_model(fail), probe=probe)]
    shelf.models["other"] = [version(1, name="other")]
    server = start()
    with caplog.at_level(logging.CRITICAL), server.connect() as client:
        assert [500] * 3 == [infer(client)[0] for _ in range(3)]
        wait_for(lambda: client.ask("GET", "/v2/models/sums/ready").status == 503)
        assert 503 == client.ask("GET", "/v2/health/ready").status
        assert 200 == client.ask("GET", "/v2/health/live").status
        assert 200 == client.ask("GET", "/v2/models/other/ready").status
        assert 500 == infer(client)[0]
        state, reason = index(server)["sums 1"]
        assert "UNAVAILABLE" == state
        assert "the model's own sample among them" in reason
        shelf.models["sums"] = [version(2)]
        assert (200, {}) == load(server)
        assert (200, "2", 8) == infer(client)
        assert 200 == client.ask("GET", "/v2/health/ready").status
