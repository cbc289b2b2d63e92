"""The page of a search."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from modeldyno.records.search import Search
from modeldyno.records.speed import SpeedPoint
from modeldyno.reports import estimates
from modeldyno.reports.findings import (
    assessed_artifact,
    fastest_first,
    finalist_for,
    headline_metrics,
    refusal_of,
    tail_level,
    tally,
    winning_artifact,
    winning_point,
    winning_proof,
)
from modeldyno.reports.headline import search_headline
from modeldyno.reports.page.load_charts import load_charts, server_words
from modeldyno.reports.page.pareto import Plotted, pareto_chart, series_of
from modeldyno.reports.page.screens import WHOLE, on_screens
from modeldyno.reports.page.server_timeline import Seen
from modeldyno.reports.page.template import render


def search_page(
    search: Search, *, proof_requests: np.ndarray | None, proof_observations: np.ndarray | None = None
) -> str:
    """The report of `dyno tune`.

    Args:
        search: the record.
        proof_requests: rows of `records.requests.REQUEST_DTYPE`, the winner's proof; None leaves out the latency
            distribution and the timeline.
        proof_observations: `records.observation.OBSERVATION_DTYPE` rows of its server; None when none were kept.
    """
    plotted = [_plotted_of(search, point) for point in fastest_first(search.points)]
    proof = winning_proof(search)
    summary = proof.summary if proof else None
    return render(
        "search.html.jinja",
        search=search,
        headline=search_headline(search),
        tally=tally(search),
        winner=winning_point(search),
        reference=search.speedup.reference if search.speedup else None,
        chosen=winning_artifact(search),
        proof=proof,
        plotted=plotted,
        series=_series_of(search),
        metrics=_metrics_of(search),
        metric_text=estimates.metric_text,
        highest=tail_level(summary) if summary else None,
        pareto=on_screens(partial(pareto_chart, plotted), WHOLE),
        load=load_charts(proof_requests, summary, search.objectives, Seen(proof_observations)),
        p99_of=partial(_p99_under_load, search),
        **server_words(),
    )


def _plotted_of(search: Search, point: SpeedPoint) -> Plotted:
    refusal = refusal_of(search, point)
    winner = winning_point(search)
    is_winner = winner is not None and _is_same(point, winner)
    is_reference = search.speedup is not None and _is_same(point, search.speedup.reference)
    return Plotted(
        point=point,
        series=_series_of(search)[point.deployment.artifact],
        quality=_quality_in_words(search, point.deployment.artifact),
        refusal=refusal.reason if refusal else "",
        caption=f"winner · batch {point.batch_rows}" if is_winner else "as it came" if is_reference else "",
        is_winner=is_winner,
    )


def _series_of(search: Search) -> Mapping[str, int]:
    return series_of(search.points, [one.artifact.name for one in search.assessed])


def _is_same(one: SpeedPoint, other: SpeedPoint) -> bool:
    return (one.deployment, one.batch_rows) == (other.deployment, other.batch_rows)


def _quality_in_words(search: Search, artifact: str) -> str:
    assessed = assessed_artifact(search.assessed, artifact)
    if assessed is None or assessed.quality is None:
        return ""
    metric = headline_metrics(assessed.quality)[0]
    return f"{estimates.metric_name(metric)} {estimates.metric_text(metric, assessed.quality.metrics[metric])}"


def _metrics_of(search: Search) -> tuple[list[str], list[str]]:
    """The metrics to show at once (the few worth a line, and those of the objectives), and the others."""
    measured = [one.quality for one in search.assessed if one.quality is not None]
    if not measured:
        return [], []
    wanted = {*headline_metrics(measured[0]), *(one.metric.rsplit("_", 1)[0] for one in search.objectives)}
    wanted |= {one.metric for one in search.objectives}
    names = list(dict.fromkeys(metric for quality in measured for metric in quality.metrics))
    return [name for name in names if name in wanted], [name for name in names if name not in wanted]


def _p99_under_load(search: Search, point: SpeedPoint) -> str:
    finalist = finalist_for(search, point)
    return estimates.duration_text(finalist.proof.summary.response_time.p99_ns) if finalist else ""
