"""Scales from values to coordinates, and the axes drawn along them."""

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from modeldyno.records.base import Record
from modeldyno.reports.page import svg
from modeldyno.reports.page.ticks import linear_ticks, log_ticks
from modeldyno.units import format_scaled


class Scale(Record, frozen=True, kw_only=True):
    """A value from `low` to `high` becomes a coordinate from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = True

    def place(self, value: float) -> float:
        """The coordinate; values outside are placed at the nearer edge, so that no mark leaves the drawing."""
        value = min(max(value, self.low), self.high)
        if self.is_log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


class Frame(Record, frozen=True, kw_only=True):
    """The rectangle that the data fill, in the coordinates of the drawing."""

    width: int
    height: int
    left: float = 64
    right: float = 16
    top: float = 16
    bottom: float = 46

    @property
    def x_end(self) -> float:
        """The right edge of the data."""
        return self.width - self.right

    @property
    def y_end(self) -> float:
        """The lower edge of the data."""
        return self.height - self.bottom

    def across(self, low: float, high: float, *, is_log: bool = True) -> Scale:
        """A scale along the lower edge."""
        return Scale(low=low, high=high, start=self.left, end=self.x_end, is_log=is_log)

    def up(self, low: float, high: float, *, is_log: bool = True) -> Scale:
        """A scale along the left edge, growing upwards."""
        return Scale(low=low, high=high, start=self.y_end, end=self.top, is_log=is_log)


def scaled_label(value: float) -> str:
    """A value of an axis that begins at 0, such as `0`, `4,930` or `62.3 k`."""
    return format_scaled(value) if value else "0"


def padded(values: Sequence[float], factor: float = 1.35) -> tuple[float, float]:
    """The limits of a logarithmic axis that shows all positive `values` with some room at each end."""
    return min(values) / factor, max(values) * factor


def ticks_of(scale: Scale, most: int = 6) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Labelled and unlabelled marks."""
    if scale.is_log:
        marks = log_ticks(scale.low, scale.high, most)
        return marks.labelled, marks.unlabelled
    return linear_ticks(scale.low, scale.high, most), ()


def x_axis(frame: Frame, scale: Scale, name: str, write: Callable[[float], str], most: int = 6) -> Markup:
    """Grid lines, labels and the name of the axis along the lower edge."""
    labelled, unlabelled = ticks_of(scale, most)
    return labelled_x_axis(frame, scale, name, [(mark, write(mark)) for mark in labelled], unlabelled)


def labelled_x_axis(
    frame: Frame,
    scale: Scale,
    name: str,
    labels: Sequence[tuple[float, str]],
    unlabelled: Sequence[float] = (),
) -> Markup:
    """As `x_axis`, with marks that the caller chose."""
    parts = [_upright(frame, scale.place(mark), "grid minor") for mark in unlabelled]
    for mark, text in labels:
        x = scale.place(mark)
        parts += [_upright(frame, x, "grid"), svg.words(text, x, frame.y_end + 17, class_="tick", text_anchor="middle")]
    middle = (frame.left + frame.x_end) / 2
    parts.append(svg.words(name, middle, frame.height - 8, class_="axis", text_anchor="middle"))
    return svg.group(*parts)


def y_axis(frame: Frame, scale: Scale, name: str, write: Callable[[float], str]) -> Markup:
    """Grid lines, labels and the name of the axis along the left edge; the name stands upright above it."""
    labelled, unlabelled = ticks_of(scale, 7)
    parts = [_level(frame, scale.place(mark), "grid minor") for mark in unlabelled]
    for mark in labelled:
        y = scale.place(mark)
        parts += [
            _level(frame, y, "grid"),
            svg.words(write(mark), frame.left - 8, y + 4, class_="tick", text_anchor="end"),
        ]
    parts.append(svg.words(name, 2, frame.top - 12, class_="axis"))
    return svg.group(*parts)


def _upright(frame: Frame, x: float, class_: str) -> Markup:
    return svg.line(x, frame.top, x, frame.y_end, class_)


def _level(frame: Frame, y: float, class_: str) -> Markup:
    return svg.line(frame.left, y, frame.x_end, y, class_)


def limit_line(frame: Frame, scale: Scale, value: float, label: str) -> Markup:
    """A limit that the user set, as a level line with its text; nothing when it is far out of sight."""
    if not scale.low <= value <= scale.high:
        return Markup("")
    y = scale.place(value)
    return svg.group(
        _level(frame, y, "limit"),
        svg.words(label, frame.x_end - 4, y - 6, class_="limit-label", text_anchor="end"),
    )
