"""The ratios of a comparison with their intervals, one a line, against equality and the regression allowed."""

from markupsafe import Markup

from modeldyno.records.base import Estimate
from modeldyno.records.comparison import Comparison, MetricComparison
from modeldyno.reports.comparing import CHANGE_WORDS
from modeldyno.reports.estimates import ratio_text
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, x_axis
from modeldyno.units import format_number


def forest_chart(comparison: Comparison, *, width: int, height: int, class_: str) -> Markup:
    """Every metric that has a ratio; nothing when none has one."""
    rows = [(one, one.ratio) for one in comparison.metrics if one.ratio is not None and one.metric != "error_rate"]
    if not rows:
        return Markup("")
    frame = Frame(width=width, height=height, left=110, right=24, top=16)
    allowed = (1 - comparison.max_regression, 1 + comparison.max_regression)
    ends = [end for _, ratio in rows for end in (ratio.low, ratio.high) if end is not None]
    reach = 1.02 * max(1.1, *(max(end, 1 / end) for end in (*ends, *allowed)))
    scale = frame.across(1 / reach, reach)
    step = (frame.y_end - frame.top) / len(rows)
    margin = (scale.place(1 / (1 + comparison.margin)), scale.place(1 + comparison.margin))
    return svg.chart(
        width,
        height,
        "B over A for each metric, with its interval",
        svg.element(
            "rect",
            x=margin[0],
            y=frame.top,
            width=margin[1] - margin[0],
            height=frame.y_end - frame.top,
            class_="warmup",
        ),
        x_axis(frame, scale, "B over A", lambda value: f"{format_number(value)}×", most=5),
        svg.line(scale.place(1), frame.top, scale.place(1), frame.y_end, "reach"),
        *(
            _row(one, ratio, frame, scale, y=frame.top + step * (index + 0.5), half=step * 0.38, allowed=allowed)
            for index, (one, ratio) in enumerate(rows)
        ),
        class_=class_,
    )


def _row(
    one: MetricComparison,
    ratio: Estimate,
    frame: Frame,
    scale: Scale,
    *,
    y: float,
    half: float,
    allowed: tuple[float, float],
) -> Markup:
    limit = scale.place(allowed[0] if one.metric == "throughput" else allowed[1])
    parts = [
        svg.title(f"{one.metric} {ratio_text(ratio)}: {CHANGE_WORDS[one.change]}"),
        svg.words(one.metric, frame.left - 12, y + 4, class_="label strong", text_anchor="end"),
        svg.line(limit, y - half, limit, y + half, "limit"),
    ]
    if ratio.low is not None and ratio.high is not None:
        parts.append(svg.line(scale.place(ratio.low), y, scale.place(ratio.high), y, "whisker s0"))
    parts.append(svg.element("circle", cx=scale.place(ratio.value), cy=y, r=5, class_="mark s0"))
    return svg.group(*parts)
