"""The server over the run, on the same axis of seconds as the response time: processors used, memory, GPUs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from modeldyno.records.requests import Outcome
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, Scale, labelled_x_axis, ticks_of, x_axis, y_axis
from modeldyno.reports.page.timeline import format_seconds, warmup_band
from modeldyno.stats.observation import cores_over_time
from modeldyno.units import format_fraction, format_number, format_size

AXIS_HEIGHT = 36
"""Of the writing below a drawing."""
_Points = tuple[str, Callable[[float], str], Sequence[tuple[float, float]]]
"""Name, how to write a value, and (ns since the run's start, value)."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity over the plan of the run."""

    name: str
    write: Callable[[float], str]
    points: Sequence[tuple[float, float]]
    """(seconds since the first planned moment, value); only those within the plan."""
    end_s: float
    beside: Sequence[tuple[float, float]] = ()
    """The same quantity as it should be, drawn dashed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was kept of the server's side of a run."""

    observations: np.ndarray | None = None
    """`OBSERVATION_DTYPE`."""
    gpu_samples: np.ndarray | None = None
    """`GPU_DTYPE`."""
    gpus: Sequence[int] = ()
    """Indices of the GPUs to draw."""


def server_curves(requests: np.ndarray, seen: Seen) -> list[Curve]:
    """CPU, memory and GPUs; none without a plan, and only what was sampled at least twice during it."""
    planned_ns = requests["planned_ns"][requests["outcome"] != Outcome.INTERRUPTED]
    if len(planned_ns) == 0:
        return []
    first = int(planned_ns.min())
    end_s = (int(planned_ns.max()) + 1 - first) / 1e9
    curves = [
        Curve(
            name,
            write,
            [(at, value) for moment, value in points if 0 <= (at := (moment - first) / 1e9) <= end_s],
            end_s,
        )
        for name, write, points in (*_process_points(seen.observations), *_gpu_points(seen))
    ]
    return [curve for curve in curves if len(curve.points) >= 2]


def _process_points(observations: np.ndarray | None) -> list[_Points]:
    if observations is None:
        return []
    return [
        ("server CPU, cores", _cores, cores_over_time(observations)),
        ("server memory", _size, _pairs(observations, "resident_bytes")),
    ]


def _gpu_points(seen: Seen) -> list[_Points]:
    """What each GPU told throughout the run; memory is in the table, for it hardly changes."""
    if seen.gpu_samples is None:
        return []
    found: list[_Points] = []
    for gpu in seen.gpus:
        samples = seen.gpu_samples[seen.gpu_samples["gpu"] == gpu]
        if (samples["utilisation"] >= 0).all():
            found.append((f"GPU {gpu} busy", _share, _pairs(samples, "utilisation")))
        if (samples["power_mw"] >= 0).all():
            found.append((f"GPU {gpu} power", _power, _pairs(samples, "power_mw")))
    return found


def _pairs(samples: np.ndarray, name: str) -> list[tuple[float, float]]:
    moments, values = (samples[each].astype(np.float64).tolist() for each in ("moment_ns", name))
    return list(zip(moments, values, strict=True))


def curve_chart(
    curve: Curve, requests: np.ndarray, *, width: int, height: int, class_: str, has_seconds: bool = True
) -> Markup:
    """The drawing of one curve; without `has_seconds` the lower axis has its grid and no writing."""
    frame = Frame(width=width, height=height, top=34, right=28, bottom=46 if has_seconds else 46 - AXIS_HEIGHT)
    across = frame.across(0, curve.end_s, is_log=False)
    highest = max(value for _, value in (*curve.points, *curve.beside))
    up = frame.up(0, highest * 1.2 if highest > 0 else 1.0, is_log=False)
    radius = 2.2 if len(curve.points) <= width / 8 else 1.1
    marks = [
        svg.group(
            svg.title(f"{at:.2f} s: {curve.write(value)}"),
            svg.element("circle", cx=across.place(at), cy=up.place(value), r=radius, class_="largest"),
        )
        for at, value in curve.points
    ]
    return svg.chart(
        width,
        height,
        f"{curve.name} over {curve.end_s:.0f} seconds: at most {curve.write(highest)}.",
        *warmup_band(frame, across, requests),
        _seconds(frame, across, has_seconds=has_seconds),
        y_axis(frame, up, curve.name, curve.write),
        svg.polyline(_placed(curve.points, across, up), "curve response"),
        *([svg.polyline(_placed(curve.beside, across, up), "curve service")] if curve.beside else []),
        *marks,
        class_=class_,
    )


def _placed(points: Sequence[tuple[float, float]], across: Scale, up: Scale) -> list[tuple[float, float]]:
    return [(across.place(at), up.place(value)) for at, value in points]


def _seconds(frame: Frame, across: Scale, *, has_seconds: bool) -> Markup:
    most = 6 if frame.width < 400 else 9
    if has_seconds:
        return x_axis(frame, across, "seconds since the start", format_seconds, most=most)
    return labelled_x_axis(frame, across, "", [], ticks_of(across, most)[0])


def _cores(value: float) -> str:
    return format_number(value, 2) if value else "0"


def _size(value: float) -> str:
    return format_size(value) if value else "0"


def _share(value: float) -> str:
    return format_fraction(value, 0)


def _power(value: float) -> str:
    return f"{format_number(value / 1e3)} W" if value else "0 W"
