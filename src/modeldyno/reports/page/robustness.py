"""Robustness curves: a metric against the strength of a change."""

from markupsafe import Markup

from modeldyno.records.base import Estimate
from modeldyno.records.robustness import RobustnessCurve
from modeldyno.reports.estimates import metric_name, metric_text
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, x_axis, y_axis

_ROOM = 0.05


def robustness_chart(
    curve: RobustnessCurve, metric: str, unchanged: Estimate, *, width: int, height: int, class_: str
) -> Markup:
    """One curve with its intervals, from the unchanged rows on; empty when the metric is at no point of it.

    Args:
        curve: of one kind of change.
        metric: its name in the points.
        unchanged: its value on the unchanged rows.
        width: of the drawing.
        height: of the drawing.
        class_: of the drawing.
    """
    points = [(one.severity, one.metrics[metric]) for one in curve.points if metric in one.metrics]
    if not points:
        return Markup("")
    points = [(1.0 if curve.kind == "imbalance" else 0.0, unchanged), *points]
    frame = Frame(width=width, height=height, top=34, right=28)
    across = frame.across(points[0][0], points[-1][0], is_log=False)
    levels = [level for _, one in points for level in (one.value, one.low, one.high) if level is not None]
    room = _ROOM * (max(levels) - min(levels)) or 1.0
    up = frame.up(min(levels) - room, max(levels) + room, is_log=False)
    places = [(across.place(severity), up.place(one.value)) for severity, one in points]
    return svg.chart(
        width,
        height,
        _in_words(curve, metric, points),
        x_axis(frame, across, f"{curve.kind}: {curve.meaning}", lambda value: f"{value:g}"),
        y_axis(frame, up, metric_name(metric), lambda value: metric_text(metric, Estimate(value=value))),
        svg.polyline(places, "curve response"),
        *(_mark(severity, one, metric, across, up) for severity, one in points),
        class_=class_,
    )


def _mark(severity: float, one: Estimate, metric: str, across: Scale, up: Scale) -> Markup:
    x = across.place(severity)
    parts: list[Markup] = [svg.title(f"{severity:g}: {metric_text(metric, one)}")]
    if one.low is not None and one.high is not None:
        parts.append(svg.line(x, up.place(one.low), x, up.place(one.high), "whisker"))
    parts.append(svg.element("circle", cx=x, cy=up.place(one.value), r=4))
    return svg.group(*parts, class_="mark s0", tabindex="0")


def _in_words(curve: RobustnessCurve, metric: str, points: list[tuple[float, Estimate]]) -> str:
    facts = "; ".join(f"{severity:g}: {metric_text(metric, one)}" for severity, one in points)
    return f"{metric_name(metric)} against {curve.kind} ({curve.meaning}). {facts}."
