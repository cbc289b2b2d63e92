import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.reports import capacities

from modeldyno.cli.commands.sizing import code_of_capacity
from modeldyno.cli.main import main
from modeldyno.errors import ExitCode
from modeldyno.records.capacity import Capacity
from modeldyno.testing.known_servers import Behaviour, known_server


@pytest.mark.parametrize(
    ("record", "code"),
    (
        (capacities.found, ExitCode.OK),
        (capacities.ceiling, ExitCode.OK),
        (capacities.lowest_fails, ExitCode.OBJECTIVE_FAILED),
        (capacities.client_limited, ExitCode.NOT_VALID),
        (capacities.out_of_budget, ExitCode.NOT_VALID),
        (capacities.interrupted, ExitCode.INTERRUPTED),
    ),
)
def test_each_way_to_end_has_its_exit_code(record: Callable[[], Capacity], code: ExitCode) -> None:
    assert code == code_of_capacity(record())


def test_a_service_that_fails_at_the_lowest_rate_exits_3_and_prints_the_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with known_server(Behaviour(status_every=2)) as server:
        arguments = [
            "--model",
            "known",
            "--slo",
            "error_rate<1%",
            "--from",
            "1000",  # of which a starved client still sends a hundred on time, as many as tell who is to blame
            "--probe",
            "1s",
            "--warmup",
            "100ms",
        ]
        assert 3 == main(["capacity", server.url, *arguments, "--out", str(tmp_path), "--json", "--quiet"])
    record = json.loads(capsys.readouterr().out)
    assert ("none", None, 1000.0) == (record["outcome"], record["passed_per_s"], record["failed_per_s"])


def test_probes_are_sent_by_processes_that_stay_awake_when_that_is_asked(tmp_path: Path) -> None:
    with known_server(Behaviour(status_every=2)) as server:
        arguments = ["--slo", "error_rate<1%", "--from", "100", "--probe", "1s", "--warmup", "100ms", "--budget", "5s"]
        # What comes of it is for the machine to say: a sender that stays awake may have to wait for a busy core.
        main(["capacity", server.url, "--model", "known", *arguments, "--awake", "--out", str(tmp_path), "--quiet"])

    probes = [json.loads(kept.read_text()) for kept in tmp_path.rglob("run.json")]
    assert probes
    assert all(probe["requested"]["awake"] and probe["effective"]["awake_fraction"] for probe in probes)


def test_a_missing_bundle_and_a_missing_objective_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["capacity", str(tmp_path / "none.bundle"), "--slo", "p99<1s"])
    assert "does not exist" in capsys.readouterr().err
    assert 2 == main(["capacity", "http://127.0.0.1:9"])
    assert "--slo" in capsys.readouterr().err
