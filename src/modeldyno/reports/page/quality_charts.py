"""What is drawn of quality: ROC and precision-recall curves, calibration, answers by label."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from modeldyno.records.evaluation import Curve, ReliabilityBin
from modeldyno.reports.estimates import fraction_text
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, x_axis, y_axis
from modeldyno.units import format_fraction, format_number


class Names(NamedTuple):
    """What is written on a drawing of curves."""

    label: str
    across: str
    up: str
    area: str
    """What the area under a curve is called."""


ROC = Names("ROC curves", "false positive rate", "true positive rate", "area")
"""The share of a class that is found, over the share of the others that is called so; on the diagonal by chance."""
PRECISION_RECALL = Names("precision-recall curves", "recall", "precision", "average precision")
"""How many of those called so are it, over the share of a class that is found."""


class _Square:
    """A plane with the same ends on both axes."""

    def __init__(self, frame: Frame, low: float, high: float) -> None:
        self._frame = frame
        self.across: Scale = frame.across(low, high, is_log=False)
        self.up: Scale = frame.up(low, high, is_log=False)

    def diagonal(self, low: float, high: float) -> Markup:
        """Where both axes say the same, from `low` to `high`."""
        return svg.line(
            self.across.place(low), self.up.place(low), self.across.place(high), self.up.place(high), "chance"
        )

    def axes(self, across: str, up: str, written: Callable[[float], str]) -> tuple[Markup, Markup]:
        """Named, their values as `written`."""
        return x_axis(self._frame, self.across, across, written, most=5), y_axis(self._frame, self.up, up, written)


def curves_chart(curves: Sequence[Curve], names: Names, *, width: int, height: int, class_: str) -> Markup:
    """A curve for each class."""
    if not curves:
        return Markup("")
    square = _Square(Frame(width=width, height=height, left=58, top=30), 0, 1)
    return svg.chart(
        width,
        height,
        names.label,
        *square.axes(names.across, names.up, format_fraction),
        *([square.diagonal(0, 1)] if names is ROC else []),
        *(_line(curve, number, square, names.area) for number, curve in enumerate(curves)),
        class_=class_,
    )


def calibration_chart(bins: Sequence[ReliabilityBin], *, width: int, height: int, class_: str) -> Markup:
    """How often the answer is right, over how sure the model is of it; on the diagonal both are the same."""
    if not bins:
        return Markup("")
    low = min(*(one.confidence for one in bins), *(one.right.low or 0.0 for one in bins))
    low = max(0.0, min(low, 0.9) - 0.02)
    square = _Square(Frame(width=width, height=height, left=58, top=30), low, 1)
    return svg.chart(
        width,
        height,
        "calibration: share of right answers over confidence",
        *square.axes("probability of the answer", "share that is right", format_fraction),
        square.diagonal(low, 1),
        *(_reliability(one, square.across, square.up) for one in bins),
        class_=class_,
    )


def values_chart(pairs: Sequence[tuple[float, float]], *, width: int, height: int, class_: str) -> Markup:
    """Each answer over its label; on the diagonal both are the same."""
    if not pairs:
        return Markup("")
    ends = [end for pair in pairs for end in pair]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.03 or max(abs(high), 1.0) * 0.03
    square = _Square(Frame(width=width, height=height, left=70, top=30), low - room, high + room)
    return svg.chart(
        width,
        height,
        "answers over labels",
        *square.axes("label", "answer", format_number),
        square.diagonal(low, high),
        *(
            svg.element("circle", cx=square.across.place(label), cy=square.up.place(answer), r=3, class_="dot s0")
            for label, answer in pairs
        ),
        class_=class_,
    )


def _line(curve: Curve, number: int, square: _Square, area: str) -> Markup:
    points = [(square.across.place(x), square.up.place(y)) for x, y in curve.points]
    return svg.group(
        svg.title(f"{curve.name}: {area} {fraction_text(curve.area)}"), svg.polyline(points, f"curve s{number}")
    )


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
