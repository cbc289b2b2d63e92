"""The latency distribution as a percentile spectrum: each decade towards 100 % takes the same room.

The axis is that of HdrHistogram's plots (Gil Tene): 1 / (1 - fraction) on a logarithmic scale, which gives the
tail, where the trouble is, as much room as the bulk.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from modeldyno.records.base import Estimate, Record
from modeldyno.records.objective import LATENCY_METRICS, Objective
from modeldyno.records.requests import Outcome
from modeldyno.records.run import LatencySummary, Summary
from modeldyno.reports.estimates import duration_text
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, labelled_x_axis, limit_line, y_axis
from modeldyno.units import format_duration

_SAMPLES = 160
_LABEL_WIDTH = 150
_LEVELS = (("p50", "p50_ns", 0.5), ("p90", "p90_ns", 0.9), ("p99", "p99_ns", 0.99), ("p99.9", "p999_ns", 0.999))


class Latencies(Record, frozen=True, kw_only=True):
    """The measured phase, ascending, in ns; failures are infinite in the response times."""

    response_ns: tuple[float, ...]
    service_ns: tuple[float, ...]
    """Of the answered requests only."""


def latencies_of(requests: np.ndarray) -> Latencies:
    """Response and service times of the measured phase; requests that the user cut off are left out."""
    outcome, done_ns = requests["outcome"], requests["done_ns"]
    counted, answered = requests["measured"] & (outcome != Outcome.INTERRUPTED), outcome == Outcome.OK
    response = np.where(answered, done_ns - requests["planned_ns"], np.inf)[counted]
    service = (done_ns - requests["sent_ns"])[counted & answered]
    return Latencies(
        response_ns=tuple(np.sort(response).tolist()),
        service_ns=tuple(np.sort(service).astype(np.float64).tolist()),
    )


def spectrum(ascending: Sequence[float] | NDArray[np.float64], samples: int = _SAMPLES) -> list[tuple[float, float]]:
    """(tail weight 1 / (1 - fraction), value) pairs, evenly apart on a logarithmic axis.

    The value at a fraction is the smallest that at least this share of the sample does not exceed; the last pair is
    the largest value at weight n. Infinite values are left out.
    """
    count = len(ascending)
    if count == 0:
        return []
    weights: NDArray[np.float64] = np.logspace(0, math.log10(count), samples) if count > 1 else np.ones(1)
    ranks = np.clip(np.ceil((1 - 1 / weights) * count - 1e-9).astype(int), 1, count)
    ranks[-1] = count
    values = np.asarray(ascending, np.float64)[ranks - 1]
    return [
        (float(weight), float(value)) for weight, value in zip(weights, values, strict=True) if math.isfinite(value)
    ]


def spectrum_chart(
    latencies: Latencies, summary: Summary, objectives: Sequence[Objective], *, width: int, height: int, class_: str
) -> Markup:
    """Response time over service time, the supported percentiles with their intervals, and the limits."""
    return distribution_chart(
        Distributed(
            name="response time",
            above_ns=latencies.response_ns,
            below_ns=latencies.service_ns,
            marked=summary.response_time,
            limits=latency_limits(objectives),
            counted="requests",
            words=_in_words(summary),
        ),
        width=width,
        height=height,
        class_=class_,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Distributed:
    """What a spectrum shows."""

    name: str
    """Of what `above_ns` holds."""
    above_ns: Sequence[float] | NDArray[np.float64]
    """Ascending; failures are infinite. Drawn as a line."""
    below_ns: Sequence[float] | NDArray[np.float64]
    """Ascending, finite. Drawn dashed, beneath."""
    marked: LatencySummary
    """Of `above_ns`."""
    limits: Sequence[tuple[str, float]]
    counted: str
    """What there is one value for."""
    words: str
    """What the drawing shows, for those who do not see it."""


def distribution_chart(shown: Distributed, *, width: int, height: int, class_: str) -> Markup:
    """Two spectra, the supported percentiles of one with their intervals, and the limits."""
    above, below = spectrum(shown.above_ns), spectrum(shown.below_ns)
    values = [value for _, value in (*above, *below) if value > 0]
    if not values:
        return Markup("")
    frame = Frame(width=width, height=height, top=34, right=28)
    across = frame.across(1, max(2, len(shown.above_ns)))
    up = frame.up(min(values) / 1.3, _upper_edge(max(values), [limit for _, limit in shown.limits]))
    names = _fraction_labels(len(shown.above_ns), width)
    return svg.chart(
        width,
        height,
        shown.words,
        labelled_x_axis(frame, across, f"share of {shown.counted} at least as fast", names),
        y_axis(frame, up, "latency", lambda value: format_duration(value, 1)),
        *_failed(shown.above_ns, frame, across),
        *(limit_line(frame, up, limit, text) for text, limit in shown.limits),
        svg.polyline(_placed(below, across, up), "curve service"),
        svg.polyline(_placed(above, across, up), "curve response"),
        *_marked_percentiles(shown, across, up),
        class_=class_,
    )


def latency_limits(objectives: Sequence[Objective]) -> list[tuple[str, float]]:
    """The limits on latency that the user set: text and ns."""
    return [(one.text, one.limit) for one in objectives if one.metric in LATENCY_METRICS and one.limit is not None]


def _upper_edge(largest: float, limits: Sequence[float]) -> float:
    """Room for the largest value, and for a limit within a factor of thirty of it."""
    near = [limit for limit in limits if limit < largest * 30]
    return max([largest, *near]) * 1.5


def _fraction_labels(count: int, width: int) -> list[tuple[float, str]]:
    labels = [(2.0, "50 %"), (10.0, "90 %"), (100.0, "99 %"), (1e3, "99.9 %"), (1e4, "99.99 %"), (1e5, "99.999 %")]
    seen = [(weight, text) for weight, text in labels if weight <= max(2, count)]
    return [seen[0], *seen[2:]] if len(seen) > 4 and width < 400 else seen


def _placed(pairs: Sequence[tuple[float, float]], across: Scale, up: Scale) -> list[tuple[float, float]]:
    return [(across.place(weight), up.place(value)) for weight, value in pairs]


def _failed(ascending_ns: Sequence[float] | NDArray[np.float64], frame: Frame, across: Scale) -> list[Markup]:
    total = len(ascending_ns)
    failed = total - bisect_left(ascending_ns, math.inf)
    if failed == 0:
        return []
    x = across.place(total / failed)
    text = f"{failed:,} of {total:,} failed: unbounded latency"
    return [
        svg.group(
            svg.title(text),
            svg.element(
                "rect", x=x, y=frame.top, width=frame.x_end - x, height=frame.y_end - frame.top, class_="failed"
            ),
            svg.words("failed", (x + frame.x_end) / 2, frame.y_end - 10, class_="failed-label", text_anchor="middle"),
        )
    ]


def _marked_percentiles(shown: Distributed, across: Scale, up: Scale) -> list[Markup]:
    marks = []
    for name, field, fraction in _LEVELS:
        estimate: Estimate | None = getattr(shown.marked, field)
        if estimate is None:
            continue
        x, y = across.place(1 / (1 - fraction)), up.place(estimate.value)
        parts = [svg.title(f"{shown.name} {name}: {duration_text(estimate)}")]
        if estimate.low is not None and estimate.high is not None:
            parts.append(svg.line(x, up.place(estimate.low), x, up.place(estimate.high), "whisker"))
        parts.append(svg.element("circle", cx=x, cy=y, r=4.5))
        label = f"{name} {format_duration(estimate.value)}"
        parts.append(_label(label, x, y, is_below=name == "p90"))
        marks.append(svg.group(*parts, class_="mark s0", tabindex="0"))
    return marks


def _label(text: str, x: float, y: float, *, is_below: bool) -> Markup:
    """Above and to the left of its mark, or below and to the right: the curve rises, so both places are free of it."""
    if is_below:
        return svg.words(text, x + 6, y + 20, class_="label strong", text_anchor="start")
    if x > _LABEL_WIDTH:
        return svg.words(text, x - 6, y - 10, class_="label strong", text_anchor="end")
    return svg.words(text, x - 24, y - 24, class_="label strong", text_anchor="start")


def _in_words(summary: Summary) -> str:
    response, service = summary.response_time, summary.service_time
    facts = [
        f"{name} {duration_text(getattr(response, field))}" for name, field, _ in _LEVELS if getattr(response, field)
    ]
    return (
        f"Percentile spectrum of the response time: {', '.join(facts) or 'too few requests for any percentile'}. "
        f"Service time p99 {duration_text(service.p99_ns)}."
    )
