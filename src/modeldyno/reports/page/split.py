"""The response time cut into its parts, as one bar and a legend with the numbers."""

from markupsafe import Markup

from modeldyno.records.base import Record
from modeldyno.records.run import ResponseSplit
from modeldyno.reports.page import svg
from modeldyno.reports.wording import SPLIT_PARTS
from modeldyno.units import format_duration, format_fraction


class Part(Record, frozen=True, kw_only=True):
    """One part of the mean response time."""

    name: str
    index: int
    """Its place in the order in which a request meets the parts: decides the colour."""
    mean_ns: float | None
    """None when the server does not report it."""
    share: float
    """Of the response time; 0 when not reported or not positive."""


def parts_of(split: ResponseSplit) -> list[Part]:
    """Every part, reported or not."""
    parts = []
    for index, (name, field) in enumerate(SPLIT_PARTS):
        mean_ns: float | None = getattr(split, field)
        # The remainder of a sum is never exactly zero; below the clock's resolution it is nothing.
        is_felt = mean_ns is not None and mean_ns >= 0.5 and split.response_ns > 0
        share = mean_ns / split.response_ns if mean_ns is not None and is_felt else 0.0
        parts.append(Part(name=name, index=index, mean_ns=mean_ns, share=share))
    return parts


def split_bar(split: ResponseSplit) -> Markup:
    """A stacked bar in percent of its own width, so that it fits any page."""
    parts = [part for part in parts_of(split) if part.share > 0]
    whole = sum(part.share for part in parts)
    drawn, start = [], 0.0
    for part in parts:
        width = part.share / whole
        drawn.append(
            svg.group(
                svg.title(f"{part.name} {format_duration(part.mean_ns or 0)} ({format_fraction(part.share)})"),
                svg.element(
                    "rect", x=f"{start:.3%}", y="0", width=f"{width:.3%}", height="44", class_=f"p{part.index}"
                ),
                *_inside(part, start, width),
            )
        )
        start += width
    label = ", ".join(f"{part.name} {format_duration(part.mean_ns or 0)}" for part in parts)
    return svg.element(
        "svg", *drawn, width="100%", height="44", role="img", class_="split",
        aria_label=f"Mean response time {format_duration(split.response_ns)}: {label}",
    )  # fmt: skip


def _inside(part: Part, start: float, width: float) -> list[Markup]:
    """The number on the bar, where there is room even on a narrow screen."""
    if width < 0.16:
        return []
    text = format_duration(part.mean_ns or 0)
    return [svg.element("text", text, x=f"{start + width / 2:.3%}", y="27", text_anchor="middle", class_="on-bar")]
