"""Latency against rate: what each probe measured, and where the service stopped to hold."""

from collections.abc import Sequence

from markupsafe import Markup

from modeldyno.records.base import Estimate
from modeldyno.records.capacity import Capacity, Probe
from modeldyno.reports.estimates import duration_text
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, limit_line, padded, x_axis, y_axis
from modeldyno.reports.page.spectrum import latency_limits
from modeldyno.reports.sizing import PROBE_WORDS, by_rate
from modeldyno.units import format_duration, format_rate, format_scaled

_CURVES = (("p50", "p50_ns", "curve service"), ("p99", "p99_ns", "curve response"))


def latency_rate_chart(record: Capacity, *, width: int, height: int, class_: str) -> Markup:
    """The drawing; empty when no probe supports any percentile."""
    probes = by_rate(record)
    values = [one.value for probe in probes for one in _levels(probe) if one is not None and one.value > 0]
    if not values:
        return Markup("")
    limits = latency_limits(record.objectives)
    near = [limit for _, limit in limits if limit < max(values) * 30]
    frame = Frame(width=width, height=height, top=34, right=28)
    across = frame.across(*padded([probe.rate_per_s for probe in probes]))
    low, high = padded([*values, *near], 1.6)
    up = frame.up(low, high)
    return svg.chart(
        width,
        height,
        _in_words(record),
        *_beyond(record, frame, across),
        x_axis(frame, across, "requests per second (Poisson arrivals)", format_scaled),
        y_axis(frame, up, "response time", lambda value: format_duration(value, 1)),
        *(limit_line(frame, up, limit, text) for text, limit in limits),
        *_knee(record, frame, across),
        *(_curve(probes, field, across, up, class_name) for _, field, class_name in _CURVES),
        *(mark for probe in probes for mark in _marks(probe, frame, across, up)),
        class_=class_,
    )


def _levels(probe: Probe) -> list[Estimate | None]:
    return [getattr(probe.response_time, field) for _, field, _ in _CURVES]


def _curve(probes: Sequence[Probe], field: str, across: Scale, up: Scale, class_: str) -> Markup:
    """One line through the rates; of several probes at one rate through the longest."""
    longest: dict[float, Probe] = {}
    for one in probes:
        if getattr(one.response_time, field) is None:
            continue
        if one.rate_per_s not in longest or one.duration_ns >= longest[one.rate_per_s].duration_ns:
            longest[one.rate_per_s] = one
    points = [
        (across.place(rate), up.place(getattr(longest[rate].response_time, field).value)) for rate in sorted(longest)
    ]
    return svg.polyline(points, class_) if len(points) > 1 else Markup("")


def _marks(probe: Probe, frame: Frame, across: Scale, up: Scale) -> list[Markup]:
    x = across.place(probe.rate_per_s)
    tooltip = svg.title(_tooltip(probe))
    shown = [one for one in _levels(probe) if one is not None]
    parts: list[Markup] = [tooltip]
    for one in shown:
        if one.low is not None and one.high is not None:
            parts.append(svg.line(x, up.place(one.low), x, up.place(one.high), "whisker"))
        parts.append(svg.element("circle", cx=x, cy=up.place(one.value), r=4))
    if probe.verdict.answer in ("fail", "client_limited"):
        y = frame.top + 8
        parts += [svg.line(x - 4, y - 4, x + 4, y + 4, "failure"), svg.line(x - 4, y + 4, x + 4, y - 4, "failure")]
    elif probe.verdict.answer == "undecided":
        parts.append(svg.words("?", x, frame.top + 12, class_="note", text_anchor="middle"))
    return [svg.group(*parts, class_="mark s0", tabindex="0")]


def _beyond(record: Capacity, frame: Frame, across: Scale) -> list[Markup]:
    """The rates that did not hold, shaded."""
    if record.failed_per_s is None:
        return []
    x = across.place(record.failed_per_s)
    return [
        svg.element("rect", x=x, y=frame.top, width=frame.x_end - x, height=frame.y_end - frame.top, class_="failed")
    ]


def _knee(record: Capacity, frame: Frame, across: Scale) -> list[Markup]:
    if record.knee is None:
        return []
    x = across.place(record.knee.rate_per_s)
    return [
        svg.line(x, frame.top, x, frame.y_end, "reach"),
        svg.words("knee", x - 6, frame.y_end - 8, class_="note", text_anchor="end"),
    ]


def _tooltip(probe: Probe) -> str:
    p50, p99 = (duration_text(one) for one in _levels(probe))
    return f"{format_rate(probe.rate_per_s)}: {PROBE_WORDS[probe.verdict.answer]}, p50 {p50}, p99 {p99}"


def _in_words(record: Capacity) -> str:
    facts = [_tooltip(probe) for probe in by_rate(record)]
    return f"Response time against the offered rate. {'; '.join(facts)}."
