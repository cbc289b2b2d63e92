"""What the machine does at most, as text."""

from modeldyno.records.peaks import Peaks
from modeldyno.reports.anatomy import PEAK_HEADING, peak_rows
from modeldyno.reports.terminal.layout import entries, table


def peak_lines(peaks: Peaks | None) -> list[str]:
    """One line a thread count, and what disturbed the measurement; nothing where none was made."""
    if peaks is None:
        return []
    return [
        "what this machine does at most (products of large matrices; copies and triads)",
        *table("lrrrrrrr", [PEAK_HEADING, *peak_rows(peaks)]),
        *entries("note", peaks.notes),
    ]
