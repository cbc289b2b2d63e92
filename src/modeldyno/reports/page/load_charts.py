"""What the pages of a load and of a search both show of requests, and of the server that answered them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from markupsafe import Markup

from modeldyno.records.objective import Objective
from modeldyno.records.run import Summary
from modeldyno.reports.page.lanes import lanes
from modeldyno.reports.page.screens import HALF, column_on_screens, on_screens
from modeldyno.reports.page.server_timeline import Seen
from modeldyno.reports.page.spectrum import latencies_of, spectrum_chart
from modeldyno.reports.page.split import parts_of, split_bar
from modeldyno.reports.page.timeline import timeline_chart
from modeldyno.reports.server import activity_facts, gpu_facts, metric_rows, server_facts, split_source_text


def load_charts(
    requests: np.ndarray | None, summary: Summary | None, objectives: Sequence[Objective], seen: Seen
) -> dict[str, Markup]:
    """The spectrum and the timeline, where there are raw requests; the split and the server, where there is one.

    Args:
        requests: rows of `records.requests.REQUEST_DTYPE`, warm-up included.
        summary: of the same.
        objectives: the limits among them are drawn.
        seen: of the server and the GPUs during the load.
    """
    charts = {"spectrum": Markup(""), "timeline": Markup(""), "split": Markup(""), "server": Markup("")}
    if summary is not None and summary.split is not None:
        charts["split"] = split_bar(summary.split)
    if requests is None or summary is None:
        return charts
    charts["spectrum"] = on_screens(partial(spectrum_chart, latencies_of(requests), summary, objectives), HALF)
    charts["timeline"] = on_screens(partial(timeline_chart, requests, objectives), HALF)
    charts["server"] = column_on_screens(partial(lanes, requests, seen))
    return charts


def server_words() -> Mapping[str, Callable[..., object]]:
    """What the template calls to say in words what is seen of a server."""
    return {
        "activity_facts": activity_facts,
        "gpu_facts": gpu_facts,
        "metric_rows": metric_rows,
        "parts_of": parts_of,
        "server_facts": server_facts,
        "split_source_text": split_source_text,
    }
