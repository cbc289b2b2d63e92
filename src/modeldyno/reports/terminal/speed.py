"""The table of measured deployments, for a search and for a profile."""

from collections.abc import Callable, Sequence

from modeldyno.records.speed import SpeedPoint
from modeldyno.reports.estimates import MISSING, duration_text, items_text
from modeldyno.reports.findings import is_clearly_slower
from modeldyno.reports.terminal.layout import table
from modeldyno.units import format_number

_HEADINGS = ("  runtime", "artifact", "thr×inst", "batch", "items/s")


def speed_table(
    points: Sequence[SpeedPoint],
    *,
    is_best: Callable[[SpeedPoint], bool],
    last_heading: str,
    last_cell: Callable[[SpeedPoint], str],
) -> list[str]:
    """One line a point, the best marked with ▸; the last column is the caller's."""
    rows = [(*_HEADINGS, "to best", last_heading)]
    for point in points:
        served = point.deployment
        rows.append((
            f"{'▸' if is_best(point) else ' '} {served.runtime}",
            served.artifact,
            f"{served.session.threads} × {served.instances}",
            f"≤ {point.batch_rows}" if point.batch_rows > 1 else "1",
            items_text(point.items_per_s),
            standing_text(point),
            last_cell(point),
        ))  # fmt: skip
    return table("llllele", rows, indent="")


def standing_text(point: SpeedPoint) -> str:
    """Against the fastest: `best`, `tie`, `0.84×`, or `slower` when the race dropped it."""
    if point.standing in ("best", "tie"):
        return point.standing
    if point.ratio_to_best is not None:
        return f"{format_number(point.ratio_to_best.value, 2)}×"
    return "slower" if is_clearly_slower(point) else MISSING


def call_time(point: SpeedPoint) -> str:
    """The median time of one call."""
    return duration_text(point.batch_time_ns)
