"""The server over the run, on the same axis of seconds as the response time: processors used, and memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from modeldyno.records.requests import Outcome
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, x_axis, y_axis
from modeldyno.reports.page.timeline import format_seconds, warmup_band
from modeldyno.stats.observation import cores_over_time
from modeldyno.units import format_number, format_size


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity of the server over the plan of the run."""

    name: str
    write: Callable[[float], str]
    points: Sequence[tuple[float, float]]
    """(seconds since the first planned moment, value); only those within the plan."""
    end_s: float


def server_curves(requests: np.ndarray, observations: np.ndarray) -> list[Curve]:
    """CPU and memory; none without a plan, and only what was sampled at least twice during it."""
    rows = requests[requests["outcome"] != Outcome.INTERRUPTED]
    if len(rows) == 0:
        return []
    first = int(rows["planned_ns"].min())
    end_s = (int(rows["planned_ns"].max()) + 1 - first) / 1e9
    moments = observations["moment_ns"].astype(np.float64).tolist()
    memory = zip(moments, observations["resident_bytes"].astype(np.float64).tolist(), strict=True)
    curves = [
        Curve(
            name,
            write,
            [(at, value) for moment, value in points if 0 <= (at := (moment - first) / 1e9) <= end_s],
            end_s,
        )
        for name, write, points in (
            ("server CPU, cores", _cores, cores_over_time(observations)),
            ("server memory", _size, list(memory)),
        )
    ]
    return [curve for curve in curves if len(curve.points) >= 2]


def curve_chart(curve: Curve, requests: np.ndarray, *, width: int, height: int, class_: str) -> Markup:
    """The drawing of one curve, its axis of seconds that of the timeline."""
    frame = Frame(width=width, height=height, top=34, right=28)
    across = frame.across(0, curve.end_s, is_log=False)
    highest = max(value for _, value in curve.points)
    up = frame.up(0, highest * 1.2 if highest > 0 else 1.0, is_log=False)
    marks = [
        svg.group(
            svg.title(f"{at:.2f} s: {curve.write(value)}"),
            svg.element("circle", cx=across.place(at), cy=up.place(value), r=2.2, class_="largest"),
        )
        for at, value in curve.points
    ]
    return svg.chart(
        width,
        height,
        f"{curve.name} over {curve.end_s:.0f} seconds: at most {curve.write(highest)}.",
        *warmup_band(frame, across, requests),
        x_axis(frame, across, "seconds since the start", format_seconds, most=6 if width < 400 else 9),
        y_axis(frame, up, curve.name, curve.write),
        svg.polyline([(across.place(at), up.place(value)) for at, value in curve.points], "curve response"),
        *marks,
        class_=class_,
    )


def _cores(value: float) -> str:
    return format_number(value, 2) if value else "0"


def _size(value: float) -> str:
    return format_size(value) if value else "0"
