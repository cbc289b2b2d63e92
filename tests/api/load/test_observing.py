import socket
from pathlib import Path

import pytest
from tests.reports import samples

from modeldyno.api.load import measuring
from modeldyno.api.load.observing import floor_here, metrics_access, metrics_address, server_processes
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.clock import SystemClock
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.watching.observation_file import read_observations
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.machine.floors import floors_path, keep_floor
from modeldyno.protocols import Silent
from modeldyno.records.run import Run
from modeldyno.records.workload import Workload
from modeldyno.testing.known_servers import Behaviour, known_server


def measured(url: str, directory: Path) -> Run:
    run, _ = measuring.measure(
        workload_of(url, "m", 200, Shape(requests=100, warmup_ns=0)),
        [PreparedRequest(b"{}", (), 1)],
        (),
        directory=directory,
        server_pids=(),
        progress=Silent(),
        clock=SystemClock(),
    )
    return run


def test_a_server_on_this_machine_is_found_by_its_port_and_looked_at(tmp_path: Path) -> None:
    with known_server(Behaviour()) as server:
        run = measured(server.url, tmp_path / "run")
    assert run.server is not None
    assert "port" == run.server.found_by
    assert 1 == len(run.server.processes)
    assert (run.server.cpu_ns_per_request or 0) > 0
    assert run.server.resident_peak_bytes > 1_000_000
    seen = read_observations(tmp_path / "run")
    assert seen is not None
    assert seen["moment_ns"][0] < 0 < seen["moment_ns"][-1], "the samples are on the time axis of the requests"


def to(url: str) -> Workload:
    return workload_of(url, "m", 10, Shape())


def test_a_server_inside_the_instrument_is_not_looked_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert () == server_processes(to(url), ()).pids


def test_a_server_elsewhere_is_not_looked_at() -> None:
    assert () == server_processes(to("http://192.0.2.1:8000"), ()).pids


def test_a_process_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no process"):
        server_processes(to("http://127.0.0.1:1"), [2**22 + 1])


def test_metrics_that_the_user_names_must_be_there() -> None:
    with pytest.raises(TargetError):
        metrics_address(to("http://127.0.0.1:1"), "http://127.0.0.1:1/metrics")
    assert metrics_address(to("http://127.0.0.1:1"), None) is None


@pytest.mark.parametrize(
    ("target", "page", "shown"),
    (
        ("https://server:8000", "https://server:9090/metrics", ["Authorization"]),
        ("http://server:8000", "http://server:9090/metrics", ["Authorization"]),
        ("https://server:8000", "http://server:9090/metrics", []),
        ("http://server:8000", "http://prometheus:9090/metrics", []),
    ),
)
def test_keys_are_shown_to_the_loaded_host_alone_and_never_in_the_clear_where_the_load_is_encrypted(
    target: str, page: str, shown: list[str]
) -> None:
    access = Access(headers=(("Authorization", "Bearer secret"),), authorities="ca.pem")
    seen = metrics_access(to(target), page, access)
    assert shown == [name for name, _ in seen.headers]
    assert "ca.pem" == seen.authorities


def test_a_later_run_is_judged_against_the_kept_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    floor = samples.floor()
    with known_server(Behaviour()) as server:
        first = measured(server.url, tmp_path / "first")
        keep_floor(floor, first.environment, first.started_at)
        second = measured(server.url, tmp_path / "second")
    assert (None, floor) == (first.floor, second.floor)
    assert first.verdict is not None
    assert second.verdict is not None
    assert any("dyno doctor measures it" in note for note in first.verdict.notes)
    assert not any("dyno doctor measures it" in note for note in second.verdict.notes)


def test_a_damaged_floor_is_said_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Heard(Silent):
        lines: list[str] = []  # noqa: RUF012 - one instance

        def say(self, line: str) -> None:
            self.lines.append(line)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    floors_path().parent.mkdir(parents=True)
    floors_path().write_text("nonsense")
    heard = Heard()
    assert floor_here(samples.ENVIRONMENT, "oip", heard) is None
    assert "dyno doctor measures it again" in heard.lines[0]
