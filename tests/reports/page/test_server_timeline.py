from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.requests import empty_requests
from modeldyno.reports.page.run_page import run_page
from modeldyno.reports.page.search_page import search_page
from modeldyno.reports.page.server_timeline import Seen, curve_chart, server_curves
from modeldyno.reports.page.timeline import stretches_of

ROWS = samples.requests(count=2_000, warmup=100)
SEEN = samples.observations(ROWS)


def test_cpu_and_memory_are_drawn_over_the_seconds_of_the_timeline() -> None:
    curves = server_curves(ROWS, Seen(SEEN))
    assert ["server CPU, cores", "server memory"] == [curve.name for curve in curves]
    for curve in curves:
        assert pytest.approx(stretches_of(ROWS, 60)[-1].end_ns / 1e9) == curve.end_s
        assert all(0 <= at <= curve.end_s for at, _ in curve.points)
    assert pytest.approx(0.8) == max(value for _, value in curves[0].points)


def test_what_was_seen_outside_the_plan_is_left_out() -> None:
    late = SEEN.copy()
    late["moment_ns"] += 1_000_000_000_000
    assert [] == server_curves(ROWS, Seen(late))
    assert [] == server_curves(ROWS, Seen(SEEN[:1]))
    assert [] == server_curves(empty_requests(0), Seen(SEEN))


@pytest.mark.parametrize("width", (352, 510))
def test_nothing_is_drawn_outside_the_drawing(width: int) -> None:
    for curve, is_last in zip(server_curves(ROWS, Seen(SEEN)), (False, True), strict=True):
        tree = ET.fromstring(curve_chart(curve, ROWS, width=width, height=140, class_="chart", has_seconds=is_last))  # noqa: S314 - ours
        assert len(curve.points) == sum(one.get("class") == "largest" for one in tree.iter("circle"))
        for one in tree.iter("circle"):
            assert 0 <= float(one.attrib["cx"]) <= width
            assert 0 <= float(one.attrib["cy"]) <= 140
        assert is_last == ("seconds since the start" in "".join(tree.itertext()))


def test_an_idle_server_is_drawn_too() -> None:
    idle = SEEN.copy()
    idle["cpu_ns"] = 0
    assert "at most 0." in curve_chart(server_curves(ROWS, Seen(idle))[0], ROWS, width=510, height=140, class_="chart")


def test_the_pages_show_the_server_where_it_was_looked_at() -> None:
    blind = replace(samples.run(ROWS), server=None, metrics=(), gpus=(), activity=None)
    assert "What the server" not in run_page(blind, ROWS, None)
    page = run_page(samples.run(ROWS), ROWS, SEEN)
    assert "server CPU, cores" in page
    assert "What the server used" in page
    assert "http_requests_total{code=&#34;200&#34;,model=&#34;digits&#34;}" in page
    search = samples.search(rows=ROWS)
    assert "server memory over" in search_page(search, proof_requests=ROWS, proof_observations=SEEN)
    assert "server memory over" not in search_page(search, proof_requests=ROWS)


def test_the_gpus_of_the_server_are_drawn_and_others_not() -> None:
    drawn = server_curves(ROWS, Seen(None, samples.gpu_samples(ROWS), [0]))
    assert ["GPU 0 busy", "GPU 0 power"] == [curve.name for curve in drawn]
    assert "at most 98 %" in curve_chart(drawn[0], ROWS, width=510, height=140, class_="chart")
    assert "at most 512 W" in curve_chart(drawn[1], ROWS, width=510, height=140, class_="chart")
    page = run_page(samples.run(ROWS), ROWS, None, samples.gpu_samples(ROWS))
    assert "GPU 0 busy over" in page
    assert "GPU 1" not in page


def test_what_a_gpu_does_not_tell_is_not_drawn() -> None:
    silent = samples.gpu_samples(ROWS)
    silent["utilisation"] = -1
    assert ["GPU 0 power"] == [curve.name for curve in server_curves(ROWS, Seen(None, silent, [0]))]


def test_the_page_shows_what_the_server_counted_and_where_the_split_is_from() -> None:
    page = run_page(samples.run(ROWS), ROWS)
    assert "What the server counted" in page
    assert "1.60 rows each on average" in page
    assert "from the Server-Timing of each answer" in page
