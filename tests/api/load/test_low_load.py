import pytest
from msgspec.structs import replace

from modeldyno.api.load.low_load import measure_low_load
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.clock import SystemClock
from modeldyno.errors import UsageError
from modeldyno.loadgen.wiring import PreparedRequest, Wiring
from modeldyno.protocols import Silent
from modeldyno.testing.known_servers import Behaviour, known_server

PREPARED = [PreparedRequest(b"{}", (), 1)]


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_a_low_load_measures_the_service_time_of_a_known_server() -> None:
    with known_server(Behaviour(delay_ns=5_000_000)) as server:
        workload = workload_of(server.url, "m", 600, Shape(requests=1000))
        low = measure_low_load(workload, PREPARED, wiring=Wiring(), progress=Silent(), clock=SystemClock())
    assert low is not None
    assert 60 == low.rate_per_s
    assert 120 == low.answered
    assert low.service_ns.value >= 5_000_000


def test_a_server_that_answers_nothing_gives_no_estimate_and_says_so() -> None:
    heard = Heard()
    with known_server(Behaviour(status_every=1)) as server:
        workload = workload_of(server.url, "m", 600, Shape(requests=1000))
        assert measure_low_load(workload, PREPARED, wiring=Wiring(), progress=heard, clock=SystemClock()) is None
    assert any("too few" in line for line in heard.lines)


def test_a_load_without_a_rate_is_refused() -> None:
    workload = workload_of("http://127.0.0.1:1", "m", 600, Shape(requests=1000))
    with pytest.raises(UsageError, match="cannot be estimated"):
        measure_low_load(
            replace(workload, concurrency=4), PREPARED, wiring=Wiring(), progress=Silent(), clock=SystemClock()
        )
