from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

import modeldyno
from modeldyno.api.load import measuring, probing
from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.workloads import Shape
from modeldyno.api.reporting import CAPACITY, page_of, stored_text
from modeldyno.errors import ExitCode, ObjectiveError, OutputError, TargetError, UsageError
from modeldyno.records.capacity import Capacity, CapacitySettings
from modeldyno.records.files import read_record
from modeldyno.testing.known_servers import Behaviour, KnownServer, known_server

QUICK = CapacitySettings(
    from_per_s=140,
    precision=0.5,
    probe_ns=1_000_000_000,
    longest_probe_ns=3_000_000_000,
    budget_ns=60_000_000_000,
)
SHAPE = Shape(warmup_ns=200_000_000)
SLO = "p90<150ms"


@pytest.fixture(scope="module")
def lane() -> Iterator[KnownServer]:
    """One lane, 4 ms a request: 250/s at the very most, whatever the machine."""
    with known_server(Behaviour(service_ns=4_000_000)) as server:
        yield server


@pytest.mark.slow
@pytest.mark.real_time
def test_no_more_is_claimed_of_a_known_server_than_it_can_do(lane: KnownServer, tmp_path: Path) -> None:
    record = modeldyno.capacity(lane.url, slo=SLO, ask=Ask(model="known"), settings=QUICK, shape=SHAPE, out=tmp_path)
    assert record.failed_per_s is not None
    assert record.failed_per_s <= 560
    # A busy machine may leave it undecided or make the client the limit; it never makes the server faster.
    assert record.passed_per_s is None or 140 <= record.passed_per_s < 262
    assert ("found" == record.outcome) <= record.confirmed
    assert record.outcome in ("found", "undecided", "client_limited", "budget")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KnownServer, Capacity, Path]]:
    """A search that is over after its first rate."""
    out = tmp_path_factory.mktemp("settled")
    with known_server(Behaviour(status_every=2)) as server:
        yield server, failing(server, out), out


def failing(server: KnownServer, out: Path, slo: str = "error_rate<1%") -> Capacity:
    return modeldyno.capacity(server.url, slo=slo, ask=Ask(model="known"), settings=QUICK, shape=SHAPE, out=out)


def test_record_runs_and_page_are_kept(settled: tuple[KnownServer, Capacity, Path]) -> None:
    _, record, out = settled
    work = out / "known.capacity"
    assert "complete" == record.state
    assert record == read_record(work / CAPACITY, Capacity)
    assert all((work / name / "requests.parquet").is_file() for one in record.probes for name in one.runs)
    assert record.report == str(out / "known.capacity.html")
    assert (out / "known.capacity.html").read_text() == page_of(work)
    assert "140/s" in stored_text(work)


def test_a_finished_search_is_not_overwritten_without_being_asked(
    settled: tuple[KnownServer, Capacity, Path],
) -> None:
    server, _, out = settled
    with pytest.raises(OutputError, match="holds a finished search") as caught:
        failing(server, out)
    assert "--force" in caught.value.hint


def test_a_search_for_something_else_is_not_overwritten(settled: tuple[KnownServer, Capacity, Path]) -> None:
    server, _, out = settled
    with pytest.raises(OutputError, match="something else"):
        failing(server, out, slo="error_rate<2%")


@pytest.mark.slow
@pytest.mark.real_time
def test_a_stopped_search_keeps_its_curve_and_goes_on(
    lane: KnownServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(QUICK, up_to_per_s=140, budget_ns=20_000_000_000)
    real, calls = measuring.measure, list[int]()

    def measure(*arguments: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(probing, "measure", measure)
    stopped = modeldyno.capacity(
        lane.url, slo=SLO, ask=Ask(model="known"), settings=settings, shape=SHAPE, out=tmp_path
    )
    assert ("interrupted", "interrupted", 1) == (stopped.outcome, stopped.state, len(stopped.probes))
    assert (tmp_path / "known.capacity.html").is_file()
    again = modeldyno.capacity(lane.url, slo=SLO, ask=Ask(model="known"), settings=settings, shape=SHAPE, out=tmp_path)
    assert again.resumed
    assert again.started_at == stopped.started_at
    assert again.elapsed_ns > stopped.elapsed_ns
    assert len(list((tmp_path / "known.capacity" / "probes").iterdir())) >= 2


@pytest.mark.parametrize(
    ("slo", "says"),
    (
        ("", "needs a limit"),
        ("p99", "needs a limit"),
        ("p99<1s, throughput>=5/s", "cannot be judged by"),
        ("memory<1GB", "not ours to look at"),
        ("accuracy>=9%", "cannot judge"),
    ),
)
def test_objectives_that_say_nothing_about_a_highest_rate_are_refused(slo: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ObjectiveError, match=says):
        modeldyno.capacity("http://127.0.0.1:9", slo=slo, ask=Ask(model="m"), out=tmp_path)


@pytest.mark.parametrize(
    "settings",
    (
        CapacitySettings(precision=0),
        CapacitySettings(up_to_per_s=10),
        CapacitySettings(probe_ns=2, longest_probe_ns=1),
        CapacitySettings(budget_ns=0),
    ),
)
def test_a_search_that_cannot_be_made_is_refused(settings: CapacitySettings, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        modeldyno.capacity("http://127.0.0.1:9", slo=SLO, ask=Ask(model="m"), settings=settings, out=tmp_path)


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        modeldyno.capacity("http://127.0.0.1:9", slo=SLO, ask=Ask(model="m"), out=tmp_path)
    assert ExitCode.UNREACHABLE == caught.value.exit_code
    assert [] == list(tmp_path.iterdir())
