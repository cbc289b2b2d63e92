import pytest
from msgspec.structs import replace
from tests.reports import samples

import modeldyno
from modeldyno.api import checkup
from modeldyno.machine.floors import FLOOR_PROTOCOLS, floors_path, kept_floor
from modeldyno.records.workload import ProtocolName


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


def test_without_a_measurement_nothing_is_kept(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    assert () == modeldyno.doctor(floor=False).floors
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
