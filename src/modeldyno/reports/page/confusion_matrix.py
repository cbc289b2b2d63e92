"""Who was taken for whom."""

from markupsafe import Markup

from modeldyno.records.evaluation import Confusion
from modeldyno.reports.page import svg
from modeldyno.units import format_fraction

_MOST_WORDS = 14
"""Signs of a class's name beside the matrix."""
_MOST_FIGURES = 20
"""Classes whose counts can be written into their cells."""


def confusion_chart(confusion: Confusion | None, *, width: int, class_: str) -> Markup:
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


def _short(name: str) -> str:
    return name if len(name) <= _MOST_WORDS else f"{name[: _MOST_WORDS - 1]}…"
