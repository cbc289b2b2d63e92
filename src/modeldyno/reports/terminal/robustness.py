"""Robustness curves and averaging over changed copies as text."""

from modeldyno.records.quality import Quality
from modeldyno.records.robustness import Robustness, TestTimeAugmentation
from modeldyno.reports.robustness import augmentation_texts, curve_rows
from modeldyno.reports.terminal.layout import entries, entry, table


def robustness_lines(robustness: Robustness | None, quality: Quality | None) -> list[str]:
    """For each change a table of severity, main metrics, their loss and the share of changed answers."""
    if robustness is None or quality is None:
        return []
    lines: list[str] = []
    for curve in robustness.curves:
        rows = curve_rows(curve, quality)
        columns = "r" + "e" * (len(rows[0]) - 1)
        lines += ["", *entry(curve.kind, f"severity: {curve.meaning}"), *table(columns, rows)]
    return lines


def augmentation_lines(augmentation: TestTimeAugmentation | None) -> list[str]:
    """What copies gain and cost."""
    return ["", *entries("copies", augmentation_texts(augmentation))]
