"""What is drawn of quality: who was taken for whom, ROC and precision-recall curves, calibration, answers by label."""

from collections.abc import Sequence

from markupsafe import Markup

from modeldyno.records.evaluation import Confusion, Curve, ReliabilityBin
from modeldyno.reports.estimates import fraction_text
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, x_axis, y_axis
from modeldyno.units import format_fraction, format_number

_MOST_WORDS = 14
"""Signs of a class's name beside the matrix."""
_MOST_FIGURES = 20
"""Classes whose counts can be written into their cells."""


def roc_chart(curves: Sequence[Curve], width: int, height: int, class_: str) -> Markup:
    """The share of a class that is found, over the share of the others that is called so."""
    if not curves:
        return Markup("")
    frame, across, up = _unit_square(width, height)
    return svg.chart(
        width,
        height,
        "ROC curves",
        x_axis(frame, across, "false positive rate", format_fraction, most=5),
        y_axis(frame, up, "true positive rate", format_fraction),
        svg.line(across.place(0), up.place(0), across.place(1), up.place(1), "chance"),
        *_lines(curves, across, up, "area"),
        class_=class_,
    )


def precision_recall_chart(curves: Sequence[Curve], width: int, height: int, class_: str) -> Markup:
    """How many of those called so are it, over the share of a class that is found."""
    if not curves:
        return Markup("")
    frame, across, up = _unit_square(width, height)
    return svg.chart(
        width,
        height,
        "precision-recall curves",
        x_axis(frame, across, "recall", format_fraction, most=5),
        y_axis(frame, up, "precision", format_fraction),
        *_lines(curves, across, up, "average precision"),
        class_=class_,
    )


def calibration_chart(bins: Sequence[ReliabilityBin], width: int, height: int, class_: str) -> Markup:
    """How often the answer is right, over how sure the model is of it; on the line both are the same."""
    if not bins:
        return Markup("")
    low = min(*(one.confidence for one in bins), *(one.right.low or 0.0 for one in bins))
    low = max(0.0, min(low, 0.9) - 0.02)
    frame = Frame(width=width, height=height, left=58, top=30)
    across, up = frame.across(low, 1, is_log=False), frame.up(low, 1, is_log=False)
    return svg.chart(
        width,
        height,
        "calibration: share of right answers over confidence",
        x_axis(frame, across, "probability of the answer", format_fraction, most=5),
        y_axis(frame, up, "share that is right", format_fraction),
        svg.line(across.place(low), up.place(low), across.place(1), up.place(1), "chance"),
        *(_reliability(one, across, up) for one in bins),
        class_=class_,
    )


def values_chart(pairs: Sequence[tuple[float, float]], width: int, height: int, class_: str) -> Markup:
    """Each answer over its label; on the line both are the same."""
    if not pairs:
        return Markup("")
    ends = [end for pair in pairs for end in pair]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.03 or max(abs(high), 1.0) * 0.03
    frame = Frame(width=width, height=height, left=70, top=30)
    across = frame.across(low - room, high + room, is_log=False)
    up = frame.up(low - room, high + room, is_log=False)
    return svg.chart(
        width,
        height,
        "answers over labels",
        x_axis(frame, across, "label", format_number, most=5),
        y_axis(frame, up, "answer", format_number),
        svg.line(across.place(low), up.place(low), across.place(high), up.place(high), "chance"),
        *(
            svg.element("circle", cx=across.place(label), cy=up.place(answer), r=3, class_="dot s0")
            for label, answer in pairs
        ),
        class_=class_,
    )


def confusion_chart(confusion: Confusion | None, width: int, class_: str) -> Markup:
    """Labels downwards, answers across; the darker, the more of the label's rows were answered so."""
    if confusion is None:
        return Markup("")
    count = len(confusion.classes)
    left, top = 118, 64
    side = min(108.0, (width - left - 8) / count)
    height = round(top + side * count + 12)
    parts = [
        svg.words("answer", left, 14, class_="axis"),
        svg.words("label", left - 10, top - 8, class_="axis", text_anchor="end"),
    ]
    for row, name in enumerate(confusion.classes):
        y = top + side * row
        parts.append(svg.words(_short(name), left - 10, y + side / 2 + 4, class_="tick", text_anchor="end"))
        x = left + side * (row + 0.5)
        turn = f"rotate(-45 {svg.number(x)} {top - 8})"
        parts.append(svg.words(_short(name), x, top - 8, class_="tick", text_anchor="start", transform=turn))
        parts += [_cell(confusion, row, column, left + side * column, y, side) for column in range(count)]
    return svg.chart(width, height, "confusion matrix", *parts, class_=class_)


def _cell(confusion: Confusion, row: int, column: int, x: float, y: float, side: float) -> Markup:
    rows, total = confusion.counts[row][column], sum(confusion.counts[row])
    share = rows / total if total else 0.0
    label, answer = confusion.classes[row], confusion.classes[column]
    kind = "right" if row == column else "wrong"
    # From a third on the fill is strong enough for the light sign; a single wrong row stays visible.
    depth = 0.0 if not rows else 0.12 + 0.88 * share
    parts = [
        svg.title(f"{rows:,} of {total:,} rows with the label {label} answered {answer} ({format_fraction(share)})"),
        svg.element("rect", x=x, y=y, width=side - 1, height=side - 1, class_="cell"),
        svg.element(
            "rect", x=x, y=y, width=side - 1, height=side - 1, class_=f"cell {kind}", fill_opacity=f"{depth:.3f}"
        ),
    ]
    if rows and len(confusion.classes) <= _MOST_FIGURES and side >= 7 * len(f"{rows:,}") + 4:
        strong = "figure strong" if depth > 0.55 else "figure"
        parts.append(svg.words(f"{rows:,}", x + side / 2, y + side / 2 + 4, class_=strong, text_anchor="middle"))
    return svg.group(*parts)


def _unit_square(width: int, height: int) -> tuple[Frame, Scale, Scale]:
    frame = Frame(width=width, height=height, left=58, top=30)
    return frame, frame.across(0, 1, is_log=False), frame.up(0, 1, is_log=False)


def _lines(curves: Sequence[Curve], across: Scale, up: Scale, what: str) -> list[Markup]:
    return [
        svg.group(
            svg.title(f"{curve.name}: {what} {fraction_text(curve.area)}"),
            svg.polyline([(across.place(x), up.place(y)) for x, y in curve.points], f"curve s{index}"),
        )
        for index, curve in enumerate(curves)
    ]


def _reliability(one: ReliabilityBin, across: Scale, up: Scale) -> Markup:
    x = across.place(one.confidence)
    parts = [
        svg.title(
            f"{one.rows:,} rows with a mean probability of {format_fraction(one.confidence)}: "
            f"{fraction_text(one.right)} right"
        )
    ]
    if one.right.low is not None and one.right.high is not None:
        parts.append(svg.line(x, up.place(one.right.low), x, up.place(one.right.high), "whisker s0"))
    parts.append(svg.element("circle", cx=x, cy=up.place(one.right.value), r=4.5, class_="mark s0"))
    return svg.group(*parts)


def _short(name: str) -> str:
    return name if len(name) <= _MOST_WORDS else f"{name[: _MOST_WORDS - 1]}…"
