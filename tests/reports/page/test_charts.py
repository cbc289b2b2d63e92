import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.run import ResponseSplit
from modeldyno.records.speed import SpeedPoint
from modeldyno.reports.findings import fastest_first
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale
from modeldyno.reports.page.pareto import Plotted, pareto_chart, pareto_front, shape
from modeldyno.reports.page.spectrum import Latencies, latencies_of, spectrum, spectrum_chart
from modeldyno.reports.page.split import parts_of, split_bar
from modeldyno.reports.page.timeline import stretches_of, timeline_chart, warmup_ns


def drawn(text: str) -> ET.Element:
    """The drawing as a tree: also shows that it is well-formed."""
    return ET.fromstring(text)  # noqa: S314 - reads only what we drew


def plotted(points: tuple[SpeedPoint, ...]) -> list[Plotted]:
    return [Plotted(point=point, series=index % 3, is_winner=index == 0) for index, point in enumerate(points)]


def small_point(rate: float, time_ns: float) -> SpeedPoint:
    point = samples.points()[0]
    return replace(point, items_per_s=samples.estimate(rate), batch_time_ns=samples.estimate(time_ns))


def test_an_element_escapes_text_and_attributes() -> None:
    text = svg.element("text", samples.NASTY, aria_label=samples.NASTY)
    assert "<script" not in text
    assert drawn(text).text == samples.NASTY
    assert drawn(text).attrib == {"aria-label": samples.NASTY}


def test_coordinates_carry_no_negative_zero() -> None:
    assert [svg.number(value) for value in (-0.01, 3.0, 3.14159)] == ["0", "3", "3.1"]


@given(st.floats(1e-3, 1e9), st.floats(1.1, 1e6), st.floats(0, 1))
def test_a_logarithmic_scale_keeps_order_and_ends(low: float, factor: float, share: float) -> None:
    scale = Scale(low=low, high=low * factor, start=10, end=110)
    value = low * factor**share
    assert math.isclose(10 + 100 * share, scale.place(value), abs_tol=1e-6)
    assert (scale.place(low / 2), scale.place(low * factor * 2)) == (10, 110)


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)), min_size=1, max_size=30))
def test_no_point_beats_one_on_the_front(pairs: list[tuple[float, float]]) -> None:
    points = [small_point(rate, time_ns) for rate, time_ns in pairs]
    front = pareto_front(points)
    for member in front:
        assert not any(
            point.items_per_s.value >= member.items_per_s.value
            and point.batch_time_ns.value <= member.batch_time_ns.value
            and point.items_per_s.value + member.batch_time_ns.value
            > member.items_per_s.value + point.batch_time_ns.value
            for point in points
        )
    assert max(pairs)[0] == front[-1].items_per_s.value


def test_every_point_has_a_mark_with_all_its_numbers() -> None:
    tree = drawn(pareto_chart(plotted(samples.points()), 1040, 430, "chart"))
    titles = [title.text or "" for title in tree.iter("title")]
    assert len(titles) == len(samples.points())
    assert any("412,000 [398,000, 429,000] items/s" in title and "time of a call" in title for title in titles)


def test_exactly_one_mark_is_ringed() -> None:
    tree = drawn(pareto_chart(plotted(samples.points()), 1040, 430, "chart"))
    assert sum(one.get("class") == "ring" for one in tree.iter("circle")) == 1


def test_a_refused_point_is_crossed_pale_and_off_the_front() -> None:
    best = fastest_first(samples.points())[0]
    marks = [Plotted(point=one, series=0, refusal="it flips" if one == best else "") for one in samples.points()]
    tree = drawn(pareto_chart(marks, 1040, 430, "chart"))
    crossed = [group for group in tree.iter("g") if any(line.get("class") == "cross" for line in group.findall("line"))]
    assert [group.get("class") for group in crossed] == ["mark s0 pale"]
    assert "refused: it flips" in (crossed[0].findtext("title") or "")
    offered = [one.point for one in marks if not one.refusal]
    front = next(line for line in tree.iter("polyline") if line.get("class") == "front-line")
    assert len((front.get("points") or "").split()) == len(pareto_front(offered))


def test_a_single_point_is_a_plot_too() -> None:
    assert drawn(pareto_chart(plotted(samples.points()[:1]), 352, 300, "chart")).get("role") == "img"


@pytest.mark.parametrize("width", (352, 1040))
def test_nothing_is_drawn_outside_the_drawing(width: int) -> None:
    tree = drawn(pareto_chart(plotted(samples.points()), width, 300, "chart"))
    for one in tree.iter():
        for name in ("x", "x1", "x2", "cx"):
            if one.get(name) is not None:
                assert 0 <= float(one.attrib[name]) <= width


def test_series_differ_in_shape_and_not_only_in_colour() -> None:
    assert len({shape(series, 0, 0) for series in range(6)}) == 6


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=400))
def test_a_spectrum_rises_and_ends_at_the_largest_value(values: list[float]) -> None:
    pairs = spectrum(sorted(values))
    assert [value for _, value in pairs] == sorted(value for _, value in pairs)
    assert max(values) == pairs[-1][1]
    assert pairs[0][0] == 1


def test_a_spectrum_of_known_values_is_their_order_statistics() -> None:
    pairs = spectrum([float(value) for value in range(1, 1001)], samples=4)
    assert [(round(weight), value) for weight, value in pairs] == [(1, 1.0), (10, 900.0), (100, 990.0), (1000, 1000.0)]


def test_failures_are_unbounded_and_leave_the_curve() -> None:
    latencies = latencies_of(samples.requests(count=1_000, warmup=0, failed=100))
    assert sum(map(math.isinf, latencies.response_ns)) == 100
    assert len(latencies.service_ns) == 900
    assert all(math.isfinite(value) for _, value in spectrum(latencies.response_ns))
    assert spectrum(latencies.response_ns)[-1][0] < 1_000 / 100 * 1.1


def test_the_warm_up_and_what_the_user_cut_off_are_left_out() -> None:
    rows = samples.requests(count=100, warmup=50)
    rows["outcome"][-10:] = Outcome.INTERRUPTED
    assert len(latencies_of(rows).response_ns) == 90


def test_the_distribution_marks_percentiles_limits_and_failures() -> None:
    rows = samples.requests(failed=100)
    chart = spectrum_chart(
        latencies_of(rows), samples.summary(rows), samples.OBJECTIVES, width=510, height=340, class_="chart"
    )
    words = " ".join(drawn(chart).itertext())
    assert "p50 " in words
    assert "p99<20ms" in words
    assert "100 of 10,000 failed" in words


def test_an_unsupported_percentile_is_not_marked() -> None:
    rows = samples.requests()
    chart = spectrum_chart(latencies_of(rows), samples.summary(rows), (), width=510, height=340, class_="chart")
    assert "p99.9" not in re.sub("99.9 %", "", chart)


def test_a_run_in_which_nothing_was_answered_has_no_curve() -> None:
    rows = empty_requests(10)
    rows["measured"] = True
    summary = samples.summary(samples.requests())
    assert not spectrum_chart(latencies_of(rows), summary, (), width=510, height=340, class_="chart")
    assert not timeline_chart(rows, (), width=510, height=340, class_="chart")
    assert spectrum(Latencies(response_ns=(), service_ns=()).response_ns) == []


def test_stretches_cover_every_request_once() -> None:
    rows = samples.requests(failed=14)
    stretches = stretches_of(rows, 60)
    assert len(rows) == sum(one.requests for one in stretches)
    assert sum(one.failures for one in stretches) == 14
    assert stretches[0].start_ns == 0
    assert all(before.end_ns == after.start_ns for before, after in pairwise(stretches))


def test_a_stretch_without_answers_has_no_median() -> None:
    rows = empty_requests(2)
    rows["planned_ns"] = (0, 100)
    assert [one.p50_ns for one in stretches_of(rows, 2)] == [None, None]


def test_the_timeline_shows_the_warm_up_and_the_failures() -> None:
    rows = samples.requests(failed=14)
    tree = drawn(timeline_chart(rows, samples.OBJECTIVES, width=510, height=340, class_="chart"))
    assert any(one.get("class") == "warmup" for one in tree.iter("rect"))
    assert any(one.get("class") == "failure" for one in tree.iter("line"))
    assert warmup_ns(samples.requests(warmup=0)) == 0


def test_one_request_is_a_timeline_too() -> None:
    assert (
        drawn(timeline_chart(samples.requests(count=1, warmup=0), (), width=510, height=340, class_="chart"))
        is not None
    )


def test_the_bar_of_the_split_is_full_and_in_order() -> None:
    split = samples.summary(samples.requests()).split
    assert split is not None
    rects = list(drawn(split_bar(split)).iter("rect"))
    widths = [float(rect.attrib["width"].rstrip("%")) for rect in rects]
    assert math.isclose(100, sum(widths), abs_tol=0.01)
    assert [rect.attrib["class"] for rect in rects] == ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]


def test_parts_that_the_server_does_not_report_stay_unknown() -> None:
    split = ResponseSplit(
        response_ns=100.0,
        client_wait_ns=10.0,
        transmission_ns=None,
        server_queue_ns=None,
        preprocessing_ns=None,
        inference_ns=None,
        postprocessing_ns=None,
        unaccounted_ns=90.0,
    )
    parts = parts_of(split)
    assert [part.name for part in parts if part.mean_ns is None] == [
        "transmission", "server queue", "preprocessing", "inference", "postprocessing",
    ]  # fmt: skip
    assert [part.share for part in parts if part.mean_ns is not None] == [0.1, 0.0, 0.9]
    assert "unaccounted" in split_bar(split)


def test_a_frame_leaves_room_for_its_axes() -> None:
    frame = Frame(width=400, height=300)
    assert (frame.x_end, frame.y_end) == (384, 254)
    assert np.isclose(frame.up(1, 10).place(1), frame.y_end)


def test_a_remainder_below_the_resolution_of_the_clock_is_nothing() -> None:
    split = samples.summary(samples.requests()).split
    assert split is not None
    assert parts_of(replace(split, unaccounted_ns=2.8e-14))[-1].share == 0
