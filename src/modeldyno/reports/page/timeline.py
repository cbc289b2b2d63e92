"""The response time over the run: the median and the largest of each stretch of time, and the failures."""

import itertools
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from modeldyno.records.base import Record
from modeldyno.records.objective import Objective
from modeldyno.records.requests import Outcome
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, limit_line, x_axis, y_axis
from modeldyno.reports.page.spectrum import latency_limits
from modeldyno.units import format_duration, format_number


class Stretch(Record, frozen=True, kw_only=True):
    """The requests planned within one stretch of the run."""

    start_ns: int
    end_ns: int
    requests: int
    failures: int
    p50_ns: float | None
    """Of the answered ones; None when none was."""
    max_ns: float | None


def stretches_of(requests: np.ndarray, count: int) -> list[Stretch]:
    """Cut the run, warm-up included, into `count` stretches of equal length by the planned moment."""
    outcome, planned = requests["outcome"], requests["planned_ns"]
    order = np.argsort(planned, kind="stable")
    order = order[outcome[order] != Outcome.INTERRUPTED]
    if len(order) == 0:
        return []
    planned = planned[order]
    response = np.where(outcome[order] == Outcome.OK, requests["done_ns"][order] - planned, np.nan)
    edges = np.linspace(planned[0], planned[-1] + 1, count + 1).astype(np.int64)
    # The first and the last stretch take what rounding leaves outside the edges.
    bounds = [0, *np.searchsorted(planned, edges[1:-1], side="left").tolist(), len(planned)]
    return [
        _stretch(response[bounds[index] : bounds[index + 1]], int(start - planned[0]), int(end - planned[0]))
        for index, (start, end) in enumerate(itertools.pairwise(edges))
    ]


def _stretch(response: NDArray[np.float64], start_ns: int, end_ns: int) -> Stretch:
    count = len(response)
    response = response[~np.isnan(response)]
    return Stretch(
        start_ns=start_ns,
        end_ns=end_ns,
        requests=count,
        failures=count - len(response),
        p50_ns=float(np.median(response)) if len(response) else None,
        max_ns=float(response.max()) if len(response) else None,
    )


def warmup_ns(requests: np.ndarray) -> int:
    """How long the warm-up took, from the first planned moment to the first measured one; 0 without a warm-up."""
    if not requests["measured"].any():
        return 0
    return int(requests["planned_ns"][requests["measured"]].min() - requests["planned_ns"].min())


def timeline_chart(
    requests: np.ndarray, objectives: Sequence[Objective], *, width: int, height: int, class_: str
) -> Markup:
    """The drawing; empty when nothing was answered."""
    stretches = stretches_of(requests, width // 8)
    values = [value for one in stretches for value in (one.p50_ns, one.max_ns) if value is not None and value > 0]
    if not values:
        return Markup("")
    limits = latency_limits(objectives)
    near = [limit for _, limit in limits if limit < max(values) * 30]
    frame = Frame(width=width, height=height, top=34, right=28)
    across = frame.across(0, stretches[-1].end_ns / 1e9, is_log=False)
    up = frame.up(min(values) / 1.5, max([*values, *near]) * 1.8)
    return svg.chart(
        width,
        height,
        _in_words(stretches),
        *warmup_band(frame, across, requests),
        x_axis(frame, across, "seconds since the start", format_seconds, most=6 if width < 400 else 9),
        y_axis(frame, up, "response time", lambda value: format_duration(value, 1)),
        *(limit_line(frame, up, limit, text) for text, limit in limits),
        *_columns(stretches, frame, across, up),
        svg.polyline(_medians(stretches, across, up), "curve response"),
        class_=class_,
    )


def format_seconds(value: float) -> str:
    """A tick on the axis of seconds."""
    return format_number(value, 2) if 0 < value < 10 and value != int(value) else f"{value:.0f}"


def warmup_band(frame: Frame, across: Scale, requests: np.ndarray) -> list[Markup]:
    """The stretch of the warm-up, shaded; nothing without one."""
    until_ns = warmup_ns(requests)
    if until_ns == 0:
        return []
    width = across.place(until_ns / 1e9) - frame.left
    words = [svg.words("warm-up", frame.left + width / 2, frame.y_end - 8, class_="note", text_anchor="middle")]
    return [
        svg.element("rect", x=frame.left, y=frame.top, width=width, height=frame.y_end - frame.top, class_="warmup"),
        *(words if width > 50 else []),
    ]


def _medians(stretches: Sequence[Stretch], across: Scale, up: Scale) -> list[tuple[float, float]]:
    return [
        (across.place((one.start_ns + one.end_ns) / 2e9), up.place(one.p50_ns))
        for one in stretches
        if one.p50_ns is not None
    ]


def _columns(stretches: Sequence[Stretch], frame: Frame, across: Scale, up: Scale) -> list[Markup]:
    drawn = []
    for one in stretches:
        x = across.place((one.start_ns + one.end_ns) / 2e9)
        parts = [svg.title(_tooltip(one))]
        if one.p50_ns is not None and one.max_ns is not None:
            top = up.place(one.max_ns)
            parts += [
                svg.line(x, up.place(one.p50_ns), x, top, "reach"),
                svg.element("circle", cx=x, cy=top, r=2.2, class_="largest"),
            ]
        if one.failures:
            y = frame.top + 8
            parts += [svg.line(x - 4, y - 4, x + 4, y + 4, "failure"), svg.line(x - 4, y + 4, x + 4, y - 4, "failure")]
        drawn.append(svg.group(*parts))
    return drawn


def _tooltip(one: Stretch) -> str:
    when = f"{one.start_ns / 1e9:.2f} s to {one.end_ns / 1e9:.2f} s: {one.requests:,} requests"
    if one.p50_ns is None or one.max_ns is None:
        return f"{when}, none answered, {one.failures:,} failed"
    times = f"median {format_duration(one.p50_ns)}, largest {format_duration(one.max_ns)}"
    return f"{when}, {times}, {one.failures:,} failed"


def _in_words(stretches: Sequence[Stretch]) -> str:
    medians = [one.p50_ns for one in stretches if one.p50_ns is not None]
    failures = sum(one.failures for one in stretches)
    return (
        f"Response time over {stretches[-1].end_ns / 1e9:.0f} seconds: the median of a stretch lies between "
        f"{format_duration(min(medians))} and {format_duration(max(medians))}; {failures:,} requests failed."
    )
