"""What goes below the timeline of the response time, on its axis of seconds: the rate, then the server."""

import numpy as np
from markupsafe import Markup

from modeldyno.reports.page.rate_timeline import rate_curve
from modeldyno.reports.page.server_timeline import AXIS_HEIGHT, Seen, curve_chart, server_curves

_HEIGHT = 140
"""Of a drawing, without the writing below the last one."""


def lanes(requests: np.ndarray, seen: Seen, *, width: int, class_: str) -> Markup:
    """All curves below one another; the seconds are written below the last only."""
    rate = rate_curve(requests)
    curves = [*([rate] if rate is not None else []), *server_curves(requests, seen)]
    return Markup("").join(
        curve_chart(curve, requests, width=width, height=_HEIGHT, class_=class_, has_seconds=False)
        if curve is not curves[-1]
        else curve_chart(curve, requests, width=width, height=_HEIGHT + AXIS_HEIGHT, class_=class_)
        for curve in curves
    )
