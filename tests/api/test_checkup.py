from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.reports import samples

import modeldyno
from modeldyno.api import checkup
from modeldyno.api.checkup import steal_findings
from modeldyno.api.load import lateness
from modeldyno.clock import SystemClock
from modeldyno.machine.floors import FLOOR_PROTOCOLS, floors_path, kept_floor
from modeldyno.protocols import Silent
from modeldyno.records.doctor import SenderLateness
from modeldyno.records.workload import ProtocolName


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lateness, "TURNS", 1)
    monkeypatch.setattr(lateness, "TURN_NS", 200_000_000)


def senders(*, asleep: float, awake: float) -> list[SenderLateness]:
    """What was found of both, late by these shares."""
    asleep_and_awake = samples.checkup().lateness
    return [replace(one, late_fraction=share) for one, share in zip(asleep_and_awake, (asleep, awake), strict=True)]


def test_a_measured_floor_is_kept_for_later_runs(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    grpc = replace(samples.floor(), protocol="oip-grpc", highest_rate_per_s=7.0)
    monkeypatch.setattr(checkup, "_measure_floors", lambda *_: [samples.floor(), grpc])
    found = modeldyno.doctor()
    assert (samples.floor(), grpc) == found.floors
    assert samples.floor() == kept_floor(found.environment)
    assert grpc == kept_floor(found.environment, "oip-grpc")
    assert kept_floor(found.environment, "null") is None
    assert [False, True] == [one.awake for one in found.lateness]


def test_without_a_measurement_nothing_is_kept(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    found = modeldyno.doctor(floor=False)
    assert ((), (), None) == (found.floors, found.lateness, found.stolen_fraction)
    assert not floors_path().exists()


@pytest.mark.parametrize("protocol", FLOOR_PROTOCOLS)
def test_the_floor_of_every_protocol_can_be_measured(
    protocol: ProtocolName, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(checkup, "FLOOR_NS", 400_000_000)
    monkeypatch.setattr(checkup, "STEPS_PER_S", ())
    floor = modeldyno.doctor(protocols=[protocol]).floors[0]

    assert protocol == floor.protocol
    assert floor.response_time.max_ns is not None
    assert floor.client_cpu_ns_per_request > 0


def test_a_sender_that_sleeps_and_one_that_stays_awake_are_measured_at_the_same_rate(tmp_path: Path) -> None:
    found = lateness.measure_lateness(tmp_path, cores=2, progress=Silent(), clock=SystemClock())

    assert [(False, 1_000.0), (True, 1_000.0)] == [(one.awake, one.rate_per_s) for one in found]
    assert all(one.lateness.max_ns is not None and one.lateness.max_ns.value > 0 for one in found)
    assert all(0 <= one.late_fraction <= 1 for one in found)


def test_on_a_single_core_no_sender_is_kept_awake(tmp_path: Path) -> None:
    assert () == lateness.measure_lateness(tmp_path, cores=1, progress=Silent(), clock=SystemClock())


def test_time_that_the_hypervisor_took_is_said_with_what_to_do() -> None:
    (found,) = steal_findings(0.084, ())

    assert "the hypervisor gave 8.4 % of this machine's processor time to others" in found
    assert "measure in turns (dyno compare)" in found


@pytest.mark.parametrize("stolen", (None, 0.0, 0.005))
def test_nothing_is_said_of_a_hypervisor_that_takes_nothing(stolen: float | None) -> None:
    assert [] == steal_findings(stolen, senders(asleep=0.0005, awake=0.0))


def test_staying_awake_is_advised_where_it_helps() -> None:
    (found,) = steal_findings(None, senders(asleep=0.04, awake=0.001))

    assert "over 1 ms late with 4.0 % of them, one that stays awake with 0.1 %" in found
    assert "keep it awake (--awake)" in found


def test_staying_awake_is_not_advised_where_it_does_not_help() -> None:
    (found,) = steal_findings(None, senders(asleep=0.04, awake=0.3))

    assert "--awake does not help here" in found
