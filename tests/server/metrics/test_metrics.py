"""`GET /metrics` of real servers, read by the parser of Prometheus's own client."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from tests.server.gate import Gate

from modeldyno.api.keys import create_key
from modeldyno.clock import SystemClock
from modeldyno.loadgen.server_timing import parse_server_timing
from modeldyno.loadgen.watching.scraper import offered_metrics, scrape
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching
from modeldyno.records.server import ProtectionSettings, ServerSettings
from modeldyno.server.call import Answer
from modeldyno.server.protection.protection import Protection
from modeldyno.testing.gated_service import MS, GatedService, gated_deployment
from modeldyno.testing.running_server import Client, RunningServer, infer_request, make_model

Serving = Callable[..., RunningServer]
ROW = [1.0, 2.0, 3.0, 4.0]

TRITON_NAMES = {
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_input_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_compute_output_duration_us",
    "nv_inference_pending_request_count",
}


class Page:
    """What one scrape gave."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self.samples = [sample for family in families for sample in family.samples]
        # That parser appends the suffix to every counter.
        self.names = {name for one in self.samples for name in (one.name, one.name.removesuffix("_total"))}

    def value(self, name: str, **labels: str) -> float:
        """The sum of the series of this name with these labels."""
        names = (name, f"{name}_total")
        found = [one.value for one in self.samples if one.name in names and labels.items() <= one.labels.items()]
        assert found, (name, labels)
        return float(sum(found))


def read_page(client: Client) -> Page:
    reply = client.ask("GET", "/metrics")
    assert (200, "text/plain; version=0.0.4; charset=utf-8") == (reply.status, reply.headers["content-type"])
    return Page(reply.body.decode())


def infer(client: Client, rows: int = 1, model: str = "sums") -> int:
    client.send(infer_request([ROW] * rows, model=model))
    return client.read().status


def test_every_name_of_triton_is_there_before_the_first_request(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        page = read_page(client)
    assert page.names >= TRITON_NAMES
    # A series that appears with its first event would hide that event from rate().
    assert 0 == page.value("modeldyno_request_duration_seconds_count", outcome="failed")


def test_every_name_is_explained_in_the_reference(serving: Serving) -> None:
    reference = (Path(__file__).parents[3] / "docs/reference/metrics.md").read_text(encoding="utf-8")
    with serving(make_model()).connect() as client:
        lines = client.ask("GET", "/metrics").body.decode().splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) > len(TRITON_NAMES)
    assert [] == [name for name in names if f"`{name}`" not in reference]


def test_requests_are_counted_by_model_and_by_what_they_ended_in(serving: Serving) -> None:
    def raising(_: Tensors) -> dict[str, NDArray[np.generic]]:
        raise ZeroDivisionError

    server = serving(make_model(max_rows=8), make_model(raising, name="broken"))
    with server.connect() as client:
        assert [200, 200, 200, 500] == [infer(client), infer(client, 3), infer(client, 3), infer(client, 1, "broken")]
        assert 400 == client.ask("POST", "/v2/models/sums/infer", b"{").status
        page = read_page(client)
    assert (3, 0) == tuple(page.value("nv_inference_request_success", model=name) for name in ("sums", "broken"))
    assert (7, 3) == (
        page.value("nv_inference_count", model="sums"),
        page.value("nv_inference_exec_count", model="sums"),
    )
    assert 1 == page.value("nv_inference_request_failure", model="broken", reason="BACKEND", version="1")
    assert 1 == page.value("nv_inference_request_failure", model="sums", reason="OTHER")
    assert 1 == page.value("modeldyno_requests_refused_total", model="sums", status="400")
    assert 1 == page.value("modeldyno_request_duration_seconds_count", outcome="failed")
    assert (3, 7) == (page.value("modeldyno_batch_rows_count"), page.value("modeldyno_batch_rows_sum"))
    assert (1, 3) == tuple(page.value("modeldyno_batch_rows_bucket", model="sums", le=le) for le in ("1.0", "4.0"))
    assert 7 * 4 == page.value("modeldyno_batch_elements_total", model="sums")


def test_the_stages_of_the_answered_requests_add_up_to_the_whole(serving: Serving) -> None:
    with serving(make_model(max_rows=8, max_delay_ns=1_000_000)).connect() as client:
        for rows in (1, 2, 3):
            infer(client, rows)
        page = read_page(client)
    whole = page.value("modeldyno_request_duration_seconds_sum", outcome="answered")
    assert whole == pytest.approx(page.value("modeldyno_stage_duration_seconds_sum"), abs=1e-9)
    for stage in ("parse", "queue", "batch", "inference", "encode", "write"):
        assert 3 == page.value("modeldyno_stage_duration_seconds_count", stage=stage)
    # All three waited for company in vain, while the only instance was idle.
    assert page.value("modeldyno_stage_duration_seconds_sum", stage="batch") > 0
    write = page.value("modeldyno_stage_duration_seconds_sum", stage="write")
    assert page.value("nv_inference_request_duration_us") == pytest.approx((whole - write) * 1e6, abs=1)


def test_openmetrics_is_given_to_who_asks_for_it(serving: Serving) -> None:
    with serving(make_model(name='a "b" \\ c')).connect() as client:
        reply = client.ask("GET", "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {one.name: one for one in openmetrics_families(reply.body.decode())}  # type: ignore[no-untyped-call]
    assert "histogram" == families["modeldyno_request_duration_seconds"].type
    assert 'a "b" \\ c' == families["nv_inference_count"].samples[0].labels["model"]


def test_head_tells_the_length_and_other_methods_are_refused(serving: Serving) -> None:
    with serving(make_model()).connect() as client:
        head = client.ask("HEAD", "/metrics")
        assert (200, b"") == (head.status, head.body)
        assert int(head.headers["content-length"]) > 1000
        assert 405 == client.ask("POST", "/metrics").status


def test_the_load_generator_finds_and_understands_every_line(serving: Serving) -> None:
    server = serving(make_model())
    assert f"{server.url}/metrics" == offered_metrics(server.url)
    exposition = scrape(f"{server.url}/metrics")
    assert 0 == exposition.unread_lines
    assert {"counter", "gauge", "histogram"} == {one.kind for one in exposition.samples}


def test_metrics_are_answered_while_the_model_is_saturated(serving: Serving) -> None:
    gate = Gate()
    server = serving(make_model(gate, max_queued_rows=2))
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(5)]
        try:
            clients[0].send(infer_request([ROW]))
            gate.wait_entered()
            for client in clients[1:3]:
                client.send(infer_request([ROW]))
            # On other connections: those before may be read later than this one, which the queue must be full for.
            page = wait_for(clients[4], lambda found: found.value("nv_inference_pending_request_count") == 2)
            assert 503 == infer(clients[3])
            page = read_page(clients[4])
            clients[2].close()
            wait_for(clients[4], lambda found: found.value("nv_inference_request_failure", reason="CANCELED") == 1)
        finally:
            gate.open()
        assert 3 == page.value("modeldyno_requests_in_progress")
        assert 1 == page.value("nv_inference_request_failure", reason="REJECTED")
        assert [200] * 2 == [client.read().status for client in clients[:2]]
        page = read_page(clients[4])
    assert (2, 0) == (page.value("nv_inference_request_success"), page.value("modeldyno_requests_in_progress"))


def test_a_port_of_their_own_takes_the_metrics_from_the_main_one(serving: Serving) -> None:
    server = serving(make_model(), metrics_port=0)
    host, port = server.metrics_url.removeprefix("http://").rsplit(":", 1)
    with server.connect() as client, Client(socket.create_connection((host, int(port)), timeout=30)) as watcher:
        assert 404 == client.ask("GET", "/metrics").status
        infer(client)
        assert 1 == read_page(watcher).value("nv_inference_count")
        assert (404, 405) == (watcher.ask("GET", "/v2").status, watcher.ask("POST", "/metrics").status)


def test_keys_guard_the_port_of_the_metrics_as_the_main_one(tmp_path: Path) -> None:
    keys = tmp_path / "keys.db"
    rights = {"infer": ["sums:infer"], "metrics": ["*:metrics"]}
    secrets = {name: create_key(keys, name, allow=allow).secret for name, allow in rights.items()}
    settings = ServerSettings(port=0, metrics_port=0)
    with (
        Protection(ProtectionSettings(keys=str(keys)), clock=SystemClock()) as protection,
        RunningServer(make_model(), settings=settings, protection=protection) as server,
    ):
        host, port = server.metrics_url.removeprefix("http://").rsplit(":", 1)
        with Client(socket.create_connection((host, int(port)), timeout=30)) as watcher:
            assert 401 == watcher.ask("GET", "/metrics").status
            for name, expected in (("infer", 403), ("metrics", 200)):
                reply = watcher.ask("GET", "/metrics", Authorization=f"Bearer {secrets[name]}")
                assert expected == reply.status


def test_server_timing_tells_the_wait_for_company_as_a_part_of_the_queue(serving: Serving) -> None:
    with serving(make_model(max_rows=8, max_delay_ns=1_000_000), server_timing=True).connect() as client:
        client.send(infer_request([ROW]))
        header = client.read().headers["server-timing"]
    parts = {name: float(value) for name, _, value in (part.strip().partition(";dur=") for part in header.split(","))}
    assert 0 < parts["batch"] <= parts["queue"]
    main = ("preprocess", "queue", "inference", "postprocess")
    assert parts["total"] == pytest.approx(sum(parts[name] for name in main), abs=1e-5)
    assert min(parse_server_timing(header.encode())) >= 0


def test_waiting_for_a_busy_instance_is_no_waiting_for_company() -> None:
    house = GatedService(gated_deployment(Batching(max_rows=8, max_delay_ns=10 * MS)))
    (session,) = house.sessions
    asked = [house.ask(np.zeros((1, 4), np.float32))]
    house.advance_ns(10 * MS)
    house.advance_ns(2 * MS)
    asked.append(house.ask(np.zeros((1, 4), np.float32)))
    house.end_batch(session, after_ns=8 * MS)
    house.advance_ns(2 * MS)
    house.end_batch(session)
    house.close()
    answers = [one for asking in asked for one in asking.replies if isinstance(one, Answer)]
    # The second came at 12 ms, the instance was busy until 20 ms, and its delay was over at 22 ms.
    assert [(10 * MS, 10 * MS), (10 * MS, 2 * MS)] == [(one.times.queue_ns, one.times.batch_ns) for one in answers]


WORKER = """
import sys
from pathlib import Path
from modeldyno.clock import SystemClock
from modeldyno.records.server import ServerSettings
from modeldyno.server.metrics.slots import MetricsSlots
from modeldyno.server.serving import serve
from modeldyno.testing.running_server import make_model
serve(
    [make_model()], ServerSettings(port=0), clock=SystemClock(), on_ready=lambda urls: print(urls["main"], flush=True),
    slots=MetricsSlots(Path(sys.argv[1]), int(sys.argv[2])),
)
"""


class Worker:
    """One of several processes of a server, and a connection to it."""

    def __init__(self, process: subprocess.Popen[str], client: Client) -> None:
        self.process = process
        self.client = client


@contextmanager
def working(directory: Path, slot: int) -> Iterator[Worker]:
    command = [sys.executable, "-c", WORKER, str(directory), str(slot)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            host, _, port = process.stdout.readline().strip().removeprefix("http://").rpartition(":")
            with Client(socket.create_connection((host, int(port)), timeout=30)) as client:
                yield Worker(process, client)
        finally:
            process.kill()


def wait_for(client: Client, is_there: Callable[[Page], bool]) -> Page:
    """Scrape until the other processes have left what they counted."""
    clock = SystemClock()
    for _ in range(1_000):
        page = read_page(client)
        if is_there(page):
            return page
        clock.sleep_until_ns(clock.now_ns() + 20_000_000)
    raise TimeoutError("it was never there")


def test_two_processes_write_and_either_tells_all_and_a_killed_one_is_not_forgotten(tmp_path: Path) -> None:
    def has(count: int) -> Callable[[Page], bool]:
        return lambda page: page.value("nv_inference_request_success") == count

    with working(tmp_path, 0) as first:
        with working(tmp_path, 1) as second:
            assert {200} == {infer(first.client) for _ in range(20)} | {infer(second.client) for _ in range(30)}
            for client in (first.client, second.client):
                page = wait_for(client, has(50))
                assert 50 == page.value("modeldyno_request_duration_seconds_bucket", outcome="answered", le="+Inf")
            second.process.send_signal(signal.SIGKILL)
            second.process.wait(30)
            assert 50 == read_page(first.client).value("nv_inference_request_success")
        with working(tmp_path, 1) as heir:
            assert 50 == read_page(heir.client).value("nv_inference_request_success")
            assert 200 == infer(heir.client)
            wait_for(first.client, has(51))
            heir.process.terminate()
            heir.process.wait(30)
        assert 51 == read_page(first.client).value("nv_inference_request_success")
