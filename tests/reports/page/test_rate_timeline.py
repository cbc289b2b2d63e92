import numpy as np
import pytest
from tests.reports import samples

from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.reports.page.lanes import lanes
from modeldyno.reports.page.rate_timeline import rate_curve
from modeldyno.reports.page.server_timeline import Curve, Seen

S = 1_000_000_000


def requests(seconds: int = 10, rate: int = 200, *, late_ns: int = 0) -> np.ndarray:
    rows = empty_requests(seconds * rate)
    rows["planned_ns"] = np.arange(len(rows)) * (S // rate)
    rows["sent_ns"] = rows["planned_ns"] + late_ns
    rows["outcome"] = Outcome.OK
    return rows


def curve_of(rows: np.ndarray) -> Curve:
    curve = rate_curve(rows)
    assert curve is not None
    return curve


def test_a_constant_rate_is_level() -> None:
    curve = curve_of(requests())
    assert pytest.approx(200, rel=0.03) == min(rate for _, rate in curve.points)
    assert 39 == len(curve.points)
    assert () == curve.beside


def test_a_client_that_falls_behind_shows_what_was_planned_beside_what_was_sent() -> None:
    rows = requests()
    rows["sent_ns"] = rows["planned_ns"] * 2
    curve = curve_of(rows)
    assert "requests/s sent, dashed as planned" == curve.name
    assert pytest.approx(100, rel=0.05) == curve.points[5][1]
    assert pytest.approx(200, rel=0.05) == curve.beside[5][1]


def test_what_was_never_sent_is_planned_only() -> None:
    rows = requests(late_ns=10)
    rows["sent_ns"][1_000:] = -1
    curve = curve_of(rows)
    assert 0 == curve.points[-1][1]
    assert pytest.approx(200, rel=0.03) == curve.beside[-1][1]


def test_short_runs_have_stretches_in_which_a_rate_can_be_told() -> None:
    assert 3 == len(curve_of(requests(1, 1_000)).points)
    assert rate_curve(requests(1, 2)) is not None
    assert rate_curve(requests(1, 1)) is None
    assert rate_curve(empty_requests(10)) is None
    assert rate_curve(empty_requests(0)) is None


def test_the_seconds_are_written_below_the_last_lane_only() -> None:
    rows = samples.requests(count=2_000, warmup=100)
    seen = Seen(samples.observations(rows), samples.gpu_samples(rows), [0])
    drawn = lanes(rows, seen, width=510, class_="chart")
    assert 5 == drawn.count("<svg ")
    assert 1 == drawn.count("seconds since the start")
    assert drawn.index("GPU 0 power over") < drawn.index("seconds since the start")
    alone = lanes(rows, Seen(), width=510, class_="chart")
    assert (1, 1) == (alone.count("<svg "), alone.count("seconds since the start"))
    assert "" == lanes(rows[:0], Seen(), width=510, class_="chart")
