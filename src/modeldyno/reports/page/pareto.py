"""The Pareto plot: time of a call against items per second, one mark for each measured deployment."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from modeldyno.records.base import Record
from modeldyno.records.speed import SpeedPoint
from modeldyno.reports.estimates import duration_text, number_text, ratio_text
from modeldyno.reports.findings import is_clearly_slower
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, padded, x_axis, y_axis
from modeldyno.units import format_duration, format_number

SHAPES = 6
"""Artifacts beyond this many start again with the first shape and colour."""


class Plotted(Record, frozen=True, kw_only=True):
    """A point and what the plot says about it beyond its numbers."""

    point: SpeedPoint
    series: int
    """Which artifact it serves: decides colour and shape."""
    quality: str = ""
    """In words, for the tooltip."""
    refusal: str = ""
    """Why it is not offered; empty when it is."""
    caption: str = ""
    """What is written at the mark, such as `winner` or `as it came`; the front is captioned with its batch sizes."""
    is_winner: bool = False

    @property
    def is_pale(self) -> bool:
        """Whether nobody would choose it: refused, or clearly slower."""
        return bool(self.refusal) or is_clearly_slower(self.point)

    @property
    def is_far(self) -> bool:
        """Whether a list may leave it for later: clearly slower, and nothing to say about it."""
        return is_clearly_slower(self.point) and not self.caption


def series_of(points: Sequence[SpeedPoint], first: Sequence[str] = ()) -> Mapping[str, int]:
    """Artifact name to its series: those in `first` that have a point, then the others as they appear."""
    present = dict.fromkeys(point.deployment.artifact for point in points)
    ordered = [*(name for name in first if name in present), *(name for name in present if name not in first)]
    return {name: index for index, name in enumerate(ordered)}


def pareto_front(points: Sequence[SpeedPoint]) -> list[SpeedPoint]:
    """The points that no other beats in both time of a call and items per second, by time of a call."""
    front: list[SpeedPoint] = []
    for point in sorted(points, key=lambda one: (one.batch_time_ns.value, -one.items_per_s.value)):
        if not front or point.items_per_s.value > front[-1].items_per_s.value:
            front.append(point)
    return front


def pareto_chart(plotted: Sequence[Plotted], width: int, height: int, class_: str) -> Markup:
    """The drawing; refused points are left out of the front, for nobody is offered them."""
    if not plotted:
        return Markup("")
    frame = Frame(width=width, height=height, top=34)
    times = [one.point.batch_time_ns.value for one in plotted]
    rates = [one.point.items_per_s.value for one in plotted]
    across, up = frame.across(*padded(times)), frame.up(min(rates) / 1.5, max(rates) * 1.8)
    front = pareto_front([one.point for one in plotted if not one.refusal])
    marks = sorted(plotted, key=lambda one: (one.is_winner, not one.is_pale))
    return svg.chart(
        width,
        height,
        _in_words(plotted, front),
        x_axis(
            frame,
            across,
            "time of a call (lower is better)",
            lambda value: format_duration(value, 1),
            most=6 if width < 400 else 9,
        ),
        y_axis(frame, up, "items/s, all instances (higher is better)", lambda value: format_number(value, 1)),
        _front_line(front, across, up),
        *(_mark(one, across, up) for one in marks),
        *_labels(plotted, front, frame, across, up),
        class_=class_,
    )


def _in_words(plotted: Sequence[Plotted], front: Sequence[SpeedPoint]) -> str:
    text = f"Pareto plot of {len(plotted)} measured deployments, {len(front)} of them on the front."
    winner = next((one.point for one in plotted if one.is_winner), None)
    if winner is None:
        return text
    return (
        f"{text} The ringed one, {winner.deployment.label}, computes {number_text(winner.items_per_s)} items per "
        f"second at {duration_text(winner.batch_time_ns)} a call."
    )


def _front_line(front: Sequence[SpeedPoint], across: Scale, up: Scale) -> Markup:
    places = [(across.place(point.batch_time_ns.value), up.place(point.items_per_s.value)) for point in front]
    return svg.polyline(places, "front-line")


def tooltip(one: Plotted) -> str:
    """All numbers of a point, a line each."""
    point = one.point
    lines = [
        point.deployment.label,
        f"{point.batch_rows} rows a call: {number_text(point.items_per_s)} items/s",
        f"time of a call {duration_text(point.batch_time_ns)}",
        f"against the fastest {ratio_text(point.ratio_to_best)}" if point.ratio_to_best else "",
        one.quality,
        f"refused: {one.refusal}" if one.refusal else "",
        "dropped early: clearly slower" if point.stopped_early else "",
    ]
    return "; ".join(part for part in lines if part)


def _mark(one: Plotted, across: Scale, up: Scale) -> Markup:
    x, y = across.place(one.point.batch_time_ns.value), up.place(one.point.items_per_s.value)
    pale = " pale" if one.is_pale else ""
    parts = [svg.title(tooltip(one))]
    spread = one.point.items_per_s
    if spread.low is not None and spread.high is not None and not pale:  # a race drops points before they are precise
        parts.append(svg.line(x, up.place(spread.low), x, up.place(spread.high), "whisker"))
    if one.is_winner:
        parts.append(svg.element("circle", cx=x, cy=y, r=12, class_="ring"))
    parts.append(shape(one.series, x, y))
    if one.refusal:
        parts += [svg.line(x - 8, y - 8, x + 8, y + 8, "cross"), svg.line(x - 8, y + 8, x + 8, y - 8, "cross")]
    return svg.group(*parts, class_=f"mark s{one.series % SHAPES}{pale}", tabindex="0")


def shape(series: int, x: float, y: float, size: float = 6) -> Markup:
    """The sign of a series: circle, square, triangle, diamond, hexagon or bar; never told apart by colour alone."""
    corners = {
        1: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        2: ((0, -1.15), (1.1, 0.85), (-1.1, 0.85)),
        3: ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
        4: ((-1.1, 0), (-0.55, -0.95), (0.55, -0.95), (1.1, 0), (0.55, 0.95), (-0.55, 0.95)),
        5: ((-1.3, -0.5), (1.3, -0.5), (1.3, 0.5), (-1.3, 0.5)),
    }.get(series % SHAPES)
    if corners is None:
        return svg.element("circle", cx=x, cy=y, r=size)
    places = " ".join(f"{svg.number(x + dx * size)},{svg.number(y + dy * size)}" for dx, dy in corners)
    return svg.element("polygon", points=places)


def _labels(
    plotted: Sequence[Plotted], front: Sequence[SpeedPoint], frame: Frame, across: Scale, up: Scale
) -> list[Markup]:
    """Captions and the batch sizes of the front; one that would cover an earlier one is left out."""
    captioned = sorted((one for one in plotted if one.caption), key=lambda one: not one.is_winner)
    wanted = [(one.point, one.caption, "label strong" if one.is_winner else "label") for one in captioned]
    wanted += [(point, f"batch {point.batch_rows}", "label") for point in front]
    written: list[Markup] = []
    taken = [
        (across.place(one.point.batch_time_ns.value), up.place(one.point.items_per_s.value))
        for one in plotted
        if one.is_winner
    ]
    for point, text, class_ in wanted:
        x, y = across.place(point.batch_time_ns.value), up.place(point.items_per_s.value) - 17
        if any(abs(x - other_x) < 74 and abs(y - other_y) < 15 for other_x, other_y in taken):
            continue
        taken.append((x, y))
        anchor = "start" if x < frame.left + 60 else "end" if x > frame.x_end - 60 else "middle"
        written.append(svg.words(text, x, y, class_=class_, text_anchor=anchor))
    return written


def sign(series: int) -> Markup:
    """The sign of a series alone, for a legend or a table."""
    drawn = svg.group(shape(series, 8, 8), class_=f"mark s{series % SHAPES}")
    return svg.element("svg", drawn, viewBox="0 0 16 16", class_="sign", aria_hidden="true")
