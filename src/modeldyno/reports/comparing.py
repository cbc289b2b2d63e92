"""The words of a comparison that the terminal and the page share."""

from modeldyno.records.base import Estimate
from modeldyno.records.comparison import Change, MetricComparison
from modeldyno.reports.estimates import MISSING, duration_text, fraction_text, items_text, ratio_text
from modeldyno.units import format_fraction

CHANGE_WORDS: dict[Change, str] = {
    "better": "better",
    "worse": "worse",
    "equal": "equal",
    "cannot_tell": "cannot tell",
}


def value_text(metric: str, found: Estimate | None) -> str:
    """The value of one side in the metric's own unit."""
    if metric == "throughput":
        return items_text(found)
    return fraction_text(found) if metric == "error_rate" else duration_text(found)


def change_text(one: MetricComparison) -> str:
    """The ratio, or for a share of failures the difference in percentage points."""
    if one.metric != "error_rate" or one.ratio is None:
        return ratio_text(one.ratio)
    if one.ratio.low is None or one.ratio.high is None:
        return MISSING
    value, low, high = (
        f"{'+' if part > 0 else ''}{format_fraction(part, 2)}".removesuffix(" %")
        for part in (one.ratio.value, one.ratio.low, one.ratio.high)
    )
    return f"{value} points [{low}, {high}]"


def difference_name(name: str) -> str:
    """A field of a record as people say it: `cpu model`, `library onnxruntime`, `rate per s`."""
    return name.replace("libraries.", "library ").replace("_", " ")
