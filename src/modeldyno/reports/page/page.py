"""The pages: a search, a load run, a profile and a comparison, each as one offline HTML file."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.capacity import Capacity
from modeldyno.records.comparison import Comparison
from modeldyno.records.evaluation import Drawings, Evaluation
from modeldyno.records.objective import Objective
from modeldyno.records.robustness import RobustnessCurve
from modeldyno.records.run import Run, Summary
from modeldyno.records.search import Search
from modeldyno.records.speed import Profile, SpeedPoint
from modeldyno.reports import estimates
from modeldyno.reports.anatomy import (
    KIND_HEADING,
    LAYER_HEADING,
    PEAK_HEADING,
    cold_rows,
    cost_facts,
    inside_facts,
    layer_rows,
    memory_rows,
    peak_rows,
    speed_facts,
    title_of,
)
from modeldyno.reports.anatomy import kind_rows as operator_rows
from modeldyno.reports.comparing import CHANGE_WORDS, change_text, difference_name, value_text
from modeldyno.reports.evaluating import (
    RECHECK_WORDS,
    agreement_rows,
    answers_text,
    average_rows,
    evaluation_headline,
    group_rows,
    left_out,
    omitted_texts,
)
from modeldyno.reports.evaluating import metric_rows as metric_rows_of
from modeldyno.reports.findings import (
    assessed_artifact,
    fastest_first,
    finalist_for,
    headline_metrics,
    model_shape,
    refusal_of,
    tail_level,
    tally,
    winning_artifact,
    winning_point,
    winning_proof,
)
from modeldyno.reports.headline import comparison_headline, run_headline, search_headline
from modeldyno.reports.kinds import KINDS_HEADING, kind_rows
from modeldyno.reports.offered import offered_text, phases_text, rows_text
from modeldyno.reports.page.forest import forest_chart
from modeldyno.reports.page.lanes import lanes
from modeldyno.reports.page.latency_rate import latency_rate_chart
from modeldyno.reports.page.pareto import Plotted, pareto_chart, series_of, sign
from modeldyno.reports.page.quality_charts import (
    calibration_chart,
    confusion_chart,
    precision_recall_chart,
    roc_chart,
    values_chart,
)
from modeldyno.reports.page.robustness import robustness_chart
from modeldyno.reports.page.roofline import roofline_chart
from modeldyno.reports.page.server_timeline import Seen
from modeldyno.reports.page.spectrum import latencies_of, spectrum_chart
from modeldyno.reports.page.split import parts_of, split_bar
from modeldyno.reports.page.timeline import timeline_chart
from modeldyno.reports.page.token_charts import token_charts
from modeldyno.reports.profile_findings import profile_findings
from modeldyno.reports.robustness import augmentation_texts, main_metric
from modeldyno.reports.scenario import (
    NOT_OFFICIAL,
    RULE_WORDS,
    condition_text,
    offered_as_text,
    outcome_text,
    scenario_title,
)
from modeldyno.reports.server import (
    activity_facts,
    floor_text,
    gpu_facts,
    metric_rows,
    queueing_facts,
    server_facts,
    shown_gpus,
    split_source_text,
)
from modeldyno.reports.sizing import PROBE_WORDS, PURPOSE_WORDS, by_rate, capacity_headline
from modeldyno.reports.tokens import TOKEN_TIMES, highest_level, prompting_text, rate_text, token_facts
from modeldyno.reports.wording import ANSWER_WORDS, LATENCY_LEVELS, LIBRARY_NAMES, glued, moment, printable
from modeldyno.stats.tokens import NO_TOKENS
from modeldyno.units import format_duration, format_fraction, format_number, format_rate, format_size

_TOKEN_SIZES = {"first": (510, 340), "between": (510, 340), "rate": (1040, 280)}
"""Width and height on wide screens of what `token_charts` draws."""


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
    return _render(
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
        highest=tail_level(proof.summary) if proof else None,
        pareto=_pareto(plotted),
        load=_load_charts(
            proof_requests, proof.summary if proof else None, search.objectives, Seen(proof_observations)
        ),
        p99_of=lambda point: _p99_under_load(search, point),
    )


def run_page(
    run: Run,
    requests: np.ndarray,
    observations: np.ndarray | None = None,
    gpu_samples: np.ndarray | None = None,
    tokens: np.ndarray | None = None,
) -> str:
    """The report of `dyno load`.

    Args:
        run: the record.
        requests: rows of `records.requests.REQUEST_DTYPE`, warm-up included.
        observations: `records.observation.OBSERVATION_DTYPE` rows of its server; None when none were kept.
        gpu_samples: `records.observation.GPU_DTYPE` rows of the GPUs; None when none were kept.
        tokens: `records.requests.TOKEN_DTYPE` rows of a language model's answers; None without any.
    """
    seen = Seen(observations, gpu_samples, [use.gpu.index for use in shown_gpus(run.gpus)])
    return _render(
        "run.html.jinja",
        run=run,
        headline=run_headline(run),
        highest=tail_level(run.summary) if run.summary else None,
        load=_load_charts(requests, run.summary, run.objectives, seen),
        token_load=_token_charts(run, requests, tokens),
    )


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
    return _render(
        "profile.html.jinja",
        profile=profile,
        plotted=plotted,
        series=series,
        pareto=_pareto(plotted),
        winner=ranked[0] if ranked else None,
        findings=profile_findings(profile),
        inside=[_inside(anatomy, profile) for anatomy in profile.anatomies if anatomy.operators],
    )


def _inside(anatomy: Anatomy, profile: Profile) -> dict[str, Any]:
    """A call cut open: its rows, and its roofline."""
    return {
        "title": title_of(anatomy),
        "layers": layer_rows(anatomy),
        "kinds": operator_rows(anatomy, most=24),
        "facts": inside_facts(anatomy),
        "chart": _both_sizes(
            lambda width, height, class_: roofline_chart(
                anatomy, profile.peaks, width=width, height=height, class_=class_
            ),
            1040,
            430,
        ),
    }


def comparison_page(comparison: Comparison) -> str:
    """The report of `dyno compare`."""
    return _render(
        "comparison.html.jinja",
        comparison=comparison,
        headline=comparison_headline(comparison),
        forest=_both_sizes(
            lambda width, height, class_: forest_chart(comparison, width=width, height=height, class_=class_), 1040, 300
        ),
        value_text=value_text,
        change_text=change_text,
        difference_name=difference_name,
        change_words=CHANGE_WORDS,
    )


def evaluation_page(evaluation: Evaluation) -> str:
    """The report of `dyno evaluate`."""
    quality, change = evaluation.quality, evaluation.change
    classes, slices = (quality.classes, quality.slices) if quality is not None else ((), ())
    return _render(
        "evaluation.html.jinja",
        evaluation=evaluation,
        headline=evaluation_headline(evaluation),
        recheck_words=RECHECK_WORDS,
        metrics=metric_rows_of(evaluation),
        averages=average_rows(quality) if quality is not None else [],
        answers=answers_text(evaluation),
        omitted=omitted_texts(quality) if quality is not None else [],
        agreement=agreement_rows(change) if change is not None else [],
        classes=group_rows(quality, classes, "class") if quality is not None else [],
        classes_left_out=left_out(classes),
        slices=group_rows(quality, slices, "slice") if quality is not None else [],
        slices_left_out=left_out(slices),
        charts=_quality_charts(evaluation.drawings or Drawings()),
        robustness=_robustness_charts(evaluation),
        augmentation=augmentation_texts(evaluation.augmentation),
    )


def _robustness_charts(evaluation: Evaluation) -> list[tuple[str, Markup]]:
    """For each kind of change its name and its curve."""
    quality, robustness = evaluation.quality, evaluation.robustness
    metric = main_metric(quality) if quality is not None else None
    if quality is None or robustness is None or metric is None:
        return []
    unchanged = quality.metrics[metric]

    def drawn(curve: RobustnessCurve) -> Markup:
        return _both_sizes(
            lambda width, height, class_: robustness_chart(
                curve, metric, unchanged, width=width, height=height, class_=class_
            ),
            510,
            340,
        )

    return [(curve.kind, drawn(curve)) for curve in robustness.curves]


def _quality_charts(drawn: Drawings) -> dict[str, Markup]:
    def both(draw: Callable[[int, int, str], Markup]) -> Markup:
        return _both_sizes(draw, 510, 340)

    return {
        "confusion": both(lambda width, _, class_: confusion_chart(drawn.confusion, width, class_)),
        "roc": both(lambda width, height, class_: roc_chart(drawn.roc, width, height, class_)),
        "precision_recall": both(
            lambda width, height, class_: precision_recall_chart(drawn.precision_recall, width, height, class_)
        ),
        "calibration": both(lambda width, height, class_: calibration_chart(drawn.calibration, width, height, class_)),
        "scatter": _both_sizes(
            lambda width, height, class_: values_chart(drawn.values, width, height, class_), 1040, 430
        ),
    }


def capacity_page(record: Capacity) -> str:
    """The report of `dyno capacity`."""
    return _render(
        "capacity.html.jinja",
        record=record,
        headline=capacity_headline(record),
        asked=", ".join(one.text for one in record.objectives),
        probes=by_rate(record),
        probe_words=PROBE_WORDS,
        purpose_words=PURPOSE_WORDS,
        chart=_both_sizes(
            lambda width, height, class_: latency_rate_chart(record, width=width, height=height, class_=class_),
            1040,
            430,
        ),
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


def _both_sizes(draw: Callable[[int, int, str], Markup], wide: int, height: int) -> Markup:
    """A drawing for wide and one for narrow screens; the style sheet shows one, so that its words stay readable."""
    return draw(wide, height, "chart wide") + draw(352, 300, "chart narrow")


def _pareto(plotted: Sequence[Plotted]) -> Markup:
    if not plotted:
        return Markup("")
    return _both_sizes(lambda width, height, class_: pareto_chart(plotted, width, height, class_), 1040, 430)


def _load_charts(
    requests: np.ndarray | None,
    summary: Summary | None,
    objectives: Sequence[Objective],
    seen: Seen,
) -> dict[str, Markup]:
    """The spectrum and the timeline, where there are raw requests; the split and the server, where there is one."""
    charts = {"spectrum": Markup(""), "timeline": Markup(""), "split": Markup(""), "server": Markup("")}
    if summary is not None and summary.split is not None:
        charts["split"] = split_bar(summary.split)
    if requests is None or summary is None:
        return charts
    latencies = latencies_of(requests)
    charts["spectrum"] = _both_sizes(
        lambda width, height, class_: spectrum_chart(
            latencies, summary, objectives, width=width, height=height, class_=class_
        ),
        510,
        340,
    )
    charts["timeline"] = _both_sizes(
        lambda width, height, class_: timeline_chart(requests, objectives, width=width, height=height, class_=class_),
        510,
        340,
    )
    charts["server"] = _server_charts(requests, seen)
    return charts


def _token_charts(run: Run, requests: np.ndarray, tokens: np.ndarray | None) -> dict[str, Markup]:
    if run.summary is None or run.summary.tokens is None:
        return {}
    tokens = NO_TOKENS if tokens is None else tokens
    charts = token_charts(requests, tokens, run.summary.tokens, run.objectives)
    return {name: _both_sizes(draw, *_TOKEN_SIZES[name]) for name, draw in charts.items()}


def _server_charts(requests: np.ndarray, seen: Seen) -> Markup:
    sizes = ((510, "chart wide"), (352, "chart narrow"))
    return Markup("").join(lanes(requests, seen, width=width, class_=class_) for width, class_ in sizes)


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(context)


def _resource(name: str) -> str | None:
    resource = files(__package__).joinpath(name)
    return resource.read_text(encoding="utf-8") if resource.is_file() else None


def _shown(value: Any) -> Any:
    """What a template prints: text without characters that hide or reorder; None is a defect of the template."""
    if value is None:
        raise TypeError("a template printed None; it must say what is missing in words")
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        estimate_duration=estimates.duration_text,
        estimate_number=estimates.number_text,
        estimate_items=estimates.items_text,
        estimate_ratio=estimates.ratio_text,
        estimate_fraction=estimates.fraction_text,
        duration=format_duration,
        fraction=format_fraction,
        number=format_number,
        rate=format_rate,
        size=format_size,
        metric_name=estimates.metric_name,
        plural=estimates.plural,
        moment=moment,
        prose=glued,
    )
    environment.globals.update(
        style=Markup(_resource("style.css")),  # noqa: S704 - our own file
        answer_words=ANSWER_WORDS,
        library_names=LIBRARY_NAMES,
        latency_levels=LATENCY_LEVELS,
        failures_text=estimates.failures_text,
        floor_text=floor_text,
        metric_rows=metric_rows,
        queueing_facts=queueing_facts,
        activity_facts=activity_facts,
        gpu_facts=gpu_facts,
        server_facts=server_facts,
        split_source_text=split_source_text,
        metric_text=estimates.metric_text,
        model_shape=model_shape,
        parts_of=parts_of,
        kinds_heading=KINDS_HEADING,
        kind_rows=kind_rows,
        offered_text=offered_text,
        phases_text=phases_text,
        rows_text=rows_text,
        condition_text=condition_text,
        not_official=NOT_OFFICIAL,
        offered_as_text=offered_as_text,
        outcome_text=outcome_text,
        rule_words=RULE_WORDS,
        scenario_title=scenario_title,
        highest_level=highest_level,
        prompting_text=prompting_text,
        token_rate_text=rate_text,
        token_facts=token_facts,
        token_times=TOKEN_TIMES,
        sign=sign,
        layer_heading=LAYER_HEADING,
        operator_heading=KIND_HEADING,
        peak_heading=PEAK_HEADING,
        cold_rows=cold_rows,
        cost_facts=cost_facts,
        memory_rows=memory_rows,
        peak_rows=peak_rows,
        speed_facts=speed_facts,
    )
    return environment
