"""What a load sees of a server that says something about itself: statistics, times on its answers, GPUs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.reports import samples

from modeldyno.api.load import measuring, observing
from modeldyno.api.load.observing import Counting, ServerProcesses, counting_of, watch_server
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.clock import SystemClock
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.watching.observation_file import read_gpus
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Silent
from modeldyno.records.observation import Gpu, GpuReading
from modeldyno.records.requests import REQUEST_DTYPE, Outcome, empty_requests
from modeldyno.records.run import Run
from modeldyno.records.server import ServerSettings
from modeldyno.records.workload import ProtocolName, Workload
from modeldyno.testing.known_servers import Behaviour, known_server
from modeldyno.testing.running_server import RunningServer, make_model
from modeldyno.testing.sessions import sum_signature
from modeldyno.wire.v2_client import encode_infer_request

HERE = ServerProcesses((), "port", is_here=True)


def request(rows: int) -> PreparedRequest:
    signature = sum_signature()
    body, length = encode_infer_request({"x": np.ones((rows, 4), np.float32)}, signature)
    headers = (("Inference-Header-Content-Length", str(length)),)
    return PreparedRequest(body, headers, rows, path="/v2/models/sums/infer")


def workload(url: str, *, protocol: ProtocolName = "oip", model: str = "sums") -> Workload:
    return workload_of(url, model, 200, Shape(requests=200, warmup_ns=500_000_000), protocol=protocol)


def measured(url: str, directory: Path) -> Run:
    run, _ = measuring.measure(
        workload(url),
        [request(3)],
        (),
        directory=directory,
        server_pids=(),
        progress=Silent(),
        clock=SystemClock(),
        wiring=Wiring(),
    )
    return run


@contextlib.contextmanager
def serving(*, server_timing: bool) -> Iterator[RunningServer]:
    settings = ServerSettings(port=0, server_timing=server_timing)
    with RunningServer(make_model(max_rows=64), settings=settings) as server:
        yield server


def test_the_servers_own_statistics_tell_the_parts_and_the_batch_formed(tmp_path: Path) -> None:
    with serving(server_timing=False) as server:
        run = measured(server.url, tmp_path / "run")
    assert run.activity is not None
    assert run.summary is not None
    assert run.summary.split is not None
    assert 0 < run.activity.answered <= 300
    assert run.activity.rows == 3 * run.activity.answered
    assert 3 <= (run.activity.rows_per_execution or 0) <= 64
    assert "triton statistics" == run.summary.split.source
    assert run.activity.compute_infer_ns == run.summary.split.inference_ns
    assert pytest.approx(0, abs=1_000) == run.summary.split.unaccounted_ns, "the parts of dyno serve leave no gap"


def test_the_times_on_the_answers_win_over_the_statistics(tmp_path: Path) -> None:
    with serving(server_timing=True) as server:
        run = measured(server.url, tmp_path / "run")
    assert run.activity is not None
    assert run.summary is not None
    assert run.summary.split is not None
    assert "server-timing" == run.summary.split.source


def test_a_server_without_statistics_is_left_alone(tmp_path: Path) -> None:
    with known_server(Behaviour()) as server:
        run = measured(server.url, tmp_path / "run")
        assert counting_of(workload(server.url)) is None
        asked = int(server.count_posts())
    assert run.activity is None
    assert run.summary is not None
    assert run.summary.split is not None
    assert run.summary.split.source is None
    assert asked == run.requested.requests + run.requested.warmup_requests


def test_only_protocols_of_triton_are_asked_for_statistics_and_over_grpc_at_the_http_port_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str]] = []

    def keeps(url: str, model: str, access: Access | None = None) -> bool:
        asked.append((url, model))
        return True

    monkeypatch.setattr(observing, "keeps_statistics", keeps)
    access = Access(headers=(("Authorization", "Bearer x"),))
    found = counting_of(workload("https://h:9/base", protocol="oip-json"), access)
    assert Counting(url="https://h:9/base", model="sums", access=access) == found
    assert counting_of(workload("grpc://[::1]:8001", protocol="oip-grpc")) is not None
    assert counting_of(workload("grpc://h:9000", protocol="oip-grpc")) is None
    assert counting_of(workload("http://h:9", protocol="openai-chat")) is None
    assert [("https://h:9/base", "sums"), ("http://[::1]:8000", "sums")] == asked


class OneGpu:
    """A meter of a GPU that draws 100 W."""

    def __init__(self) -> None:
        self._began_ns = SystemClock().now_ns()

    def gpus(self, server_pids: list[int]) -> tuple[Gpu, ...]:
        return (samples.GPU.gpu,)

    def read(self) -> list[GpuReading]:
        return [GpuReading(0, 0.5, 10**9, 100_000, (SystemClock().now_ns() - self._began_ns) // 10_000)]


@contextlib.contextmanager
def one_gpu() -> Iterator[OneGpu]:
    yield OneGpu()


def test_gpus_are_looked_at_when_the_server_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(observing, "nvml_meter", one_gpu)
    with known_server(Behaviour()) as server:
        run = measured(server.url, tmp_path / "run")
    (use,) = run.gpus
    assert (samples.GPU.gpu, 0.5, 10**9) == (use.gpu, use.utilisation, use.memory_peak_bytes)
    assert pytest.approx(100, rel=0.5) == use.power_watts  # a stall between the look at the clock and at the meter
    assert (use.energy_joules_per_request or 0) > 0
    kept = read_gpus(tmp_path / "run")
    assert kept is not None
    assert kept["moment_ns"][0] < 0 < kept["moment_ns"][-1]


@pytest.mark.parametrize(("is_here", "gpus"), ((True, 1), (False, 0)))
def test_the_gpus_of_this_machine_are_not_those_of_a_server_elsewhere(
    monkeypatch: pytest.MonkeyPatch, *, is_here: bool, gpus: int
) -> None:
    monkeypatch.setattr(observing, "nvml_meter", one_gpu)
    start_ns = SystemClock().now_ns()
    with watch_server(ServerProcesses((), "port", is_here), metrics_url=None, clock=SystemClock()) as watch:
        pass
    assert gpus == len(watch.sight(_answered(), start_ns, Silent()).gpus)


def test_looking_that_ends_early_and_looks_that_give_nothing_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(OneGpu):
        def read(self) -> list[GpuReading]:
            raise OSError("lost its GPU")

    class Heard(Silent):
        lines: list[str] = []  # noqa: RUF012 - one instance

        def say(self, line: str) -> None:
            self.lines.append(line)

    monkeypatch.setattr(observing, "nvml_meter", lambda: contextlib.nullcontext(Broken()))
    heard = Heard()
    gone = Counting(url="http://127.0.0.1:9", model="m")
    with watch_server(HERE, metrics_url="http://127.0.0.1:9/metrics", statistics=gone, clock=SystemClock()) as watch:
        pass
    sight = watch.sight(_answered(), SystemClock().now_ns(), heard)
    assert (None, None, (), ()) == (sight.use, sight.activity, sight.gpus, sight.changes)
    assert any("looking at the GPUs ended early: lost its GPU" in line for line in heard.lines)
    assert any("looks at the server's metrics gave nothing" in line for line in heard.lines)
    assert any("looks at the server's statistics gave nothing" in line for line in heard.lines)


def _answered() -> np.ndarray:
    rows = empty_requests(2)
    assert rows.dtype == REQUEST_DTYPE
    rows["planned_ns"], rows["sent_ns"], rows["done_ns"] = [0, 10**9], [0, 10**9], [10**6, 10**9 + 10**6]
    rows["outcome"], rows["measured"] = Outcome.OK, True
    return rows
