"""The page of a profile."""

from functools import partial
from typing import Any

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.speed import Profile
from modeldyno.reports.anatomy import (
    KIND_HEADING,
    LAYER_HEADING,
    PEAK_HEADING,
    cold_rows,
    cost_facts,
    inside_facts,
    kind_rows,
    layer_rows,
    memory_rows,
    peak_rows,
    speed_facts,
    title_of,
)
from modeldyno.reports.findings import fastest_first
from modeldyno.reports.page.pareto import Plotted, pareto_chart, series_of
from modeldyno.reports.page.roofline import roofline_chart
from modeldyno.reports.page.screens import WHOLE, on_screens
from modeldyno.reports.page.template import render
from modeldyno.reports.profile_findings import FINDING_TITLES, profile_findings


def profile_page(profile: Profile) -> str:
    """The report of `dyno profile`."""
    ranked = fastest_first(profile.points)
    series = series_of(profile.points)
    plotted = [
        Plotted(
            point=point,
            series=series[point.deployment.artifact],
            caption=f"fastest · batch {point.batch_rows}" if point is ranked[0] else "",
            is_winner=point is ranked[0],
        )
        for point in ranked
    ]
    return render(
        "profile.html.jinja",
        profile=profile,
        plotted=plotted,
        series=series,
        pareto=on_screens(partial(pareto_chart, plotted), WHOLE),
        winner=ranked[0] if ranked else None,
        findings=profile_findings(profile),
        finding_titles=FINDING_TITLES,
        inside=[_inside(anatomy, profile) for anatomy in profile.anatomies if anatomy.operators],
        layer_heading=LAYER_HEADING,
        operator_heading=KIND_HEADING,
        peak_heading=PEAK_HEADING,
        cold_rows=cold_rows,
        cost_facts=cost_facts,
        memory_rows=memory_rows,
        peak_rows=peak_rows,
        speed_facts=speed_facts,
    )


def _inside(anatomy: Anatomy, profile: Profile) -> dict[str, Any]:
    """A call cut open: its rows, and its roofline."""
    return {
        "title": title_of(anatomy),
        "layers": layer_rows(anatomy),
        "kinds": kind_rows(anatomy, most=24),
        "facts": inside_facts(anatomy),
        "chart": on_screens(partial(roofline_chart, anatomy, profile.peaks), WHOLE),
    }
