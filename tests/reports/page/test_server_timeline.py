from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.requests import empty_requests
from modeldyno.reports.page.page import run_page, search_page
from modeldyno.reports.page.server_timeline import curve_chart, server_curves
from modeldyno.reports.page.timeline import stretches_of

ROWS = samples.requests(count=2_000, warmup=100)
SEEN = samples.observations(ROWS)


def test_cpu_and_memory_are_drawn_over_the_seconds_of_the_timeline() -> None:
    curves = server_curves(ROWS, SEEN)
    assert ["server CPU, cores", "server memory"] == [curve.name for curve in curves]
    for curve in curves:
        assert pytest.approx(stretches_of(ROWS, 60)[-1].end_ns / 1e9) == curve.end_s
        assert all(0 <= at <= curve.end_s for at, _ in curve.points)
    assert pytest.approx(0.8) == max(value for _, value in curves[0].points)


def test_what_was_seen_outside_the_plan_is_left_out() -> None:
    late = SEEN.copy()
    late["moment_ns"] += 1_000_000_000_000
    assert [] == server_curves(ROWS, late)
    assert [] == server_curves(ROWS, SEEN[:1])
    assert [] == server_curves(empty_requests(0), SEEN)


@pytest.mark.parametrize("width", (352, 510))
def test_nothing_is_drawn_outside_the_drawing(width: int) -> None:
    for curve in server_curves(ROWS, SEEN):
        tree = ET.fromstring(curve_chart(curve, ROWS, width=width, height=220, class_="chart"))  # noqa: S314 - ours
        assert len(curve.points) == sum(one.get("class") == "largest" for one in tree.iter("circle"))
        for one in tree.iter("circle"):
            assert 0 <= float(one.attrib["cx"]) <= width
            assert 0 <= float(one.attrib["cy"]) <= 220


def test_an_idle_server_is_drawn_too() -> None:
    idle = SEEN.copy()
    idle["cpu_ns"] = 0
    assert "at most 0." in curve_chart(server_curves(ROWS, idle)[0], ROWS, width=510, height=220, class_="chart")


def test_the_pages_show_the_server_where_it_was_looked_at() -> None:
    assert "Server" not in run_page(replace(samples.run(ROWS), server=None, metrics=()), ROWS, None)
    page = run_page(samples.run(ROWS), ROWS, SEEN)
    assert "server CPU, cores" in page
    assert "What the server used" in page
    assert "http_requests_total{code=&#34;200&#34;,model=&#34;digits&#34;}" in page
    search = samples.search(rows=ROWS)
    assert "server memory over" in search_page(search, proof_requests=ROWS, proof_observations=SEEN)
    assert "server memory over" not in search_page(search, proof_requests=ROWS)
