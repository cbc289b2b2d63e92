"""The roofline: what each kind of operator reaches, under the roof that bandwidth and compute peak make."""

from collections.abc import Sequence
from math import sqrt

from markupsafe import Markup

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.base import Record
from modeldyno.records.peaks import Peaks
from modeldyno.reports.anatomy import KindTotal, bytes_rate_text, kinds_of, operations_rate_text, title_of
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, x_axis, y_axis
from modeldyno.units import format_duration, format_fraction, format_number

_PRECISIONS = ("fp32", "bf16", "fp16", "int8")
_LARGEST, _SMALLEST = 17.0, 3.5
"""Radii of the marks: their areas are the shares of the time."""
_LABELLED = 5


class _Roof(Record, frozen=True, kw_only=True):
    """One straight part of the roof, in operations a second."""

    name: str
    per_s: float
    """Operations a second, or bytes a second where it slopes."""
    slopes: bool


def roofline_chart(anatomy: Anatomy, peaks: Peaks | None, *, width: int, height: int, class_: str) -> Markup:
    """The drawing; empty where no operator is counted or no peak was measured."""
    shown = [one for one in kinds_of(anatomy) if one.intensity and one.operations]
    roofs = _roofs(anatomy, peaks)
    if not shown or not roofs:
        return Markup("")
    frame = Frame(width=width, height=height, left=76, top=34, right=24)
    across, up = _scales(frame, shown, roofs)
    return svg.chart(
        width,
        height,
        _in_words(anatomy, shown, roofs),
        x_axis(frame, across, "operations a byte", lambda value: format_number(value, 1), most=5 if width < 400 else 8),
        y_axis(frame, up, "operations a second (area: share of the time)", _short),
        *(_roof_line(roof, roofs, across, up, frame) for roof in roofs),
        *(_mark(one, across, up) for one in shown),
        *_labels(shown, across, up, frame),
        class_=class_,
    )


def _short(value: float) -> str:
    return operations_rate_text(value).replace("flop/s", "")


def _roofs(anatomy: Anatomy, peaks: Peaks | None) -> list[_Roof]:
    """The slope of the level that holds a call, and of memory; the flat parts of each precision that is computed in."""
    if peaks is None or anatomy.level is None:
        return []
    threads = anatomy.deployment.session.threads
    used = {one.precision for one in anatomy.operators}
    slopes = [(level, peaks.bytes_per_s(level, threads)) for level in dict.fromkeys((anatomy.level, "memory"))]
    flats = [(name, peaks.compute_per_s(name, threads)) for name in _PRECISIONS if name in used]
    return [
        *(_Roof(name=name, per_s=found, slopes=True) for name, found in slopes if found),
        *(_Roof(name=name, per_s=found, slopes=False) for name, found in flats if found),
    ]


def _scales(frame: Frame, shown: Sequence[KindTotal], roofs: Sequence[_Roof]) -> tuple[Scale, Scale]:
    """Wide enough for every mark and for the ridge."""
    intensities = [one.intensity for one in shown if one.intensity]
    rates = [_rate(one) for one in shown]
    slope = max((one.per_s for one in roofs if one.slopes), default=None)
    flats = [one.per_s for one in roofs if not one.slopes]
    ridges = [flat / slope for flat in flats if slope]
    across = frame.across(min(*intensities, *ridges, 0.25) / 1.6, max(*intensities, *ridges, 4.0) * 2.5)
    top = max(*rates, *flats, (slope or 1.0) * 0.3)
    return across, frame.up(min(*rates, top / 100) / 1.8, top * 1.8)


def _rate(one: KindTotal) -> float:
    return (one.operations or 0) / max(one.time_ns, 1.0) * 1e9


def _roof_line(roof: _Roof, roofs: Sequence[_Roof], across: Scale, up: Scale, frame: Frame) -> Markup:
    """A slope ends where it meets the highest flat part; a flat part begins where the steepest slope meets it."""
    flats = [one.per_s for one in roofs if not one.slopes]
    slopes = [one.per_s for one in roofs if one.slopes]
    if roof.slopes:
        ceiling = min(max(flats, default=up.high), up.high)
        first = max(across.low, up.low / roof.per_s)
        last = min(across.high, ceiling / roof.per_s)
        if first >= last:
            return Markup("")
        ends = [(across.place(at), up.place(at * roof.per_s)) for at in (first, last)]
        return svg.group(svg.line(*ends[0], *ends[1], "roof"), _slope_label(roof, roofs, ends))
    first = max(across.low, roof.per_s / max(slopes, default=up.high))
    y = up.place(roof.per_s)
    return svg.group(
        svg.line(across.place(first), y, frame.x_end, y, "roof"),
        svg.words(f"{roof.name} {operations_rate_text(roof.per_s)}", across.place(first), y - 8, class_="label"),
    )


def _slope_label(roof: _Roof, roofs: Sequence[_Roof], ends: Sequence[tuple[float, float]]) -> Markup:
    """Above the first slope, and below the others: they lie close together."""
    is_first = roof == roofs[0]
    share = 0.62 if is_first else 0.3
    x, y = (start + share * (end - start) for start, end in zip(*ends, strict=True))
    text = f"{roof.name} {bytes_rate_text(roof.per_s)}"
    if is_first:
        return svg.words(text, x - 8, y - 8, class_="label", text_anchor="end")
    return svg.words(text, x + 10, y + 12, class_="label")


def _mark(one: KindTotal, across: Scale, up: Scale) -> Markup:
    x, y = across.place(one.intensity or across.low), up.place(_rate(one))
    radius = max(_SMALLEST, _LARGEST * sqrt(max(0.0, one.share)))
    dot = svg.element("circle", cx=x, cy=y, r=radius, fill_opacity=0.55)
    return svg.group(svg.title(_tooltip(one)), dot, class_="mark s0", tabindex="0")


def _tooltip(one: KindTotal) -> str:
    limit = f", at least {format_duration(one.limit_ns)}" if one.limit_ns is not None else ""
    bound = f", limited by {one.bound}" if one.bound else ""
    return (
        f"{one.kind} ({one.count}): {format_fraction(one.share)} of the time, {format_duration(one.time_ns)}{limit}; "
        f"{format_number(one.intensity or 0)} operations a byte, {operations_rate_text(_rate(one))}{bound}"
    )


def _labels(shown: Sequence[KindTotal], across: Scale, up: Scale, frame: Frame) -> list[Markup]:
    """The names of what takes most time; one that would cover an earlier one is left out."""
    written: list[Markup] = []
    taken: list[tuple[float, float]] = []
    for one in shown[:_LABELLED]:
        x, y = across.place(one.intensity or across.low), up.place(_rate(one))
        below = y + max(_SMALLEST, _LARGEST * sqrt(one.share)) + 15
        place = below if below < frame.y_end - 4 else y - 22
        if any(abs(x - other_x) < 96 and abs(place - other_y) < 15 for other_x, other_y in taken):
            continue
        taken.append((x, place))
        anchor = "start" if x < frame.left + 60 else "end" if x > frame.x_end - 60 else "middle"
        text = f"{one.kind} {format_fraction(one.share, 0)}"
        written.append(svg.words(text, x, place, class_="label strong", text_anchor=anchor))
    return written


def _in_words(anatomy: Anatomy, shown: Sequence[KindTotal], roofs: Sequence[_Roof]) -> str:
    peaks = ", ".join(
        f"{one.name} {bytes_rate_text(one.per_s) if one.slopes else operations_rate_text(one.per_s)}" for one in roofs
    )
    marks = "; ".join(_tooltip(one) for one in shown)
    return f"Roofline of {title_of(anatomy)}. Peaks: {peaks}. {marks}."
