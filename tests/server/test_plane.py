"""What requests find while models come and go."""

from collections.abc import Iterator

import pytest

from modeldyno.server.plane import Plane
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.manual_loop import ManualLoop
from modeldyno.testing.running_server import make_model


@pytest.fixture
def plane() -> Iterator[Plane]:
    clock = ManualClock(10**9)
    plane = Plane([make_model(version="2")], loop=ManualLoop(clock), clock=clock)
    yield plane
    plane.close(0)


def targets(plane: Plane) -> dict[str, str]:
    return {target.decode(): service.model.version for target, service in plane.infer_targets.items()}


def test_the_highest_version_answers_requests_that_name_none(plane: Plane) -> None:
    plane.put(make_model(version="10"))
    assert targets(plane) == {
        "/v2/models/sums/versions/2/infer": "2",
        "/v2/models/sums/versions/10/infer": "10",
        "/v2/models/sums/infer": "10",
    }
    assert ["2", "10"] == plane.versions("sums")


def test_the_table_of_paths_stays_the_same_object(plane: Plane) -> None:
    table = plane.infer_targets
    plane.put(make_model(name="other"))
    assert table is plane.infer_targets
    assert "/v2/models/other/infer" in targets(plane)


def test_what_is_taken_out_is_found_no_more_and_left_to_be_closed(plane: Plane) -> None:
    (first,) = plane
    new = plane.put(make_model(version="3"))
    assert [new] == plane.replace("sums", [first])
    assert "2" == targets(plane)["/v2/models/sums/infer"]
    assert not plane.has_left("sums")
    new.close(0)
    assert [first] == plane.replace("sums", [])
    assert {} == targets(plane)
    assert plane.has_left("sums")
    assert [] == plane.replace("sums", [])
    first.close(0)


def test_replacing_gives_back_what_was_served_and_keeps_what_stays(plane: Plane) -> None:
    (old,) = plane
    new = plane.start(make_model(version="2"))
    assert {} == {target: one for target, one in plane.infer_targets.items() if one is new}
    assert [old] == plane.replace("sums", [new])
    assert [new] == list(plane)
    assert [] == plane.replace("sums", [new])
    old.close(0)


def test_counts_go_on_where_the_version_before_left_them(plane: Plane) -> None:
    (old,) = plane
    plane.metrics.counts_of("sums", "2").accepted = 7
    new = plane.start(make_model(version="2"))
    plane.replace("sums", [new])
    assert 7 == plane.metrics.counts_of("sums", "2").accepted
    old.close(0)


def test_waiting_requests_are_counted_of_the_service_that_requests_find(plane: Plane) -> None:
    counts = plane.metrics.counts_of("sums", "2")
    (old,) = plane
    assert getattr(counts.count_queued, "args", None) == (old,)
    plane.replace("sums", [])
    assert 0 == counts.count_queued()
    assert counts.count_queued is int
    old.close(0)
