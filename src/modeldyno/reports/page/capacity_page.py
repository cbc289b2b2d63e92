"""The page of a search for capacity."""

from functools import partial

from modeldyno.records.capacity import Capacity
from modeldyno.reports.page.latency_rate import latency_rate_chart
from modeldyno.reports.page.screens import WHOLE, on_screens
from modeldyno.reports.page.template import render
from modeldyno.reports.sizing import PROBE_WORDS, PURPOSE_WORDS, by_rate, capacity_headline


def capacity_page(record: Capacity) -> str:
    """The report of `dyno capacity`."""
    return render(
        "capacity.html.jinja",
        record=record,
        headline=capacity_headline(record),
        asked=", ".join(one.text for one in record.objectives),
        probes=by_rate(record),
        probe_words=PROBE_WORDS,
        purpose_words=PURPOSE_WORDS,
        chart=on_screens(partial(latency_rate_chart, record), WHOLE),
    )
