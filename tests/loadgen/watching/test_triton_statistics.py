import socket
from collections.abc import Iterator

import pytest

from modeldyno.clock import SystemClock
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.watching.triton_statistics import StatisticsReader, fetch_statistics, keeps_statistics
from modeldyno.records.server import ServerSettings
from modeldyno.testing.known_servers import Behaviour, known_server
from modeldyno.testing.running_server import RunningServer, infer_request, make_model


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    models = (make_model(), make_model(version="2"), make_model(name="a/b c"))
    with RunningServer(*models, settings=ServerSettings(port=0)) as running:
        yield running


def infer(server: RunningServer) -> None:
    with server.connect() as client:
        client.send(infer_request([[1.0, 2.0, 3.0, 4.0]] * 3))
        assert 200 == client.read().status


def test_every_version_is_read(server: RunningServer) -> None:
    assert ["1", "2"] == [one.version for one in fetch_statistics(server.url, "sums")]
    assert ["a/b c"] == [one.name for one in fetch_statistics(server.url, "a/b c")]


def test_looks_are_kept_with_their_moments(server: RunningServer) -> None:
    reader = StatisticsReader(server.url, "sums", clock=SystemClock())
    start_ns = SystemClock().now_ns()
    reader.sample()
    infer(server)
    reader.sample()
    first, last = reader.looks(start_ns)
    assert 0 < first.moment_ns < last.moment_ns
    assert 3 == sum(one.inference_count for one in last.versions) - sum(one.inference_count for one in first.versions)
    assert 0 == reader.failures


def test_a_server_without_statistics_keeps_none(server: RunningServer) -> None:
    assert not keeps_statistics(server.url, "unknown")
    with known_server(Behaviour()) as other:
        assert not keeps_statistics(other.url, "m")
    assert not keeps_statistics("grpc://127.0.0.1:8001", "m")


def test_a_look_that_fails_is_counted_and_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    reader = StatisticsReader(url, "m", clock=SystemClock())
    reader.sample()
    assert (1, []) == (reader.failures, reader.looks(0))
    with pytest.raises(TargetError, match="cannot read the statistics of 'm'"):
        fetch_statistics(url, "m")


def test_another_kind_of_url_is_refused() -> None:
    with pytest.raises(UsageError, match="not an http:// or https://"):
        fetch_statistics("grpc://127.0.0.1:8001", "m", Access())
