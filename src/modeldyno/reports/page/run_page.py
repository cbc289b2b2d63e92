"""The page of a load."""

from typing import Any

import numpy as np
from markupsafe import Markup

from modeldyno.records.run import Run
from modeldyno.reports.findings import tail_level
from modeldyno.reports.headline import run_headline
from modeldyno.reports.kinds import KINDS_HEADING, kind_rows
from modeldyno.reports.offered import offered_text, phases_text, rows_text
from modeldyno.reports.page.load_charts import load_charts, server_words
from modeldyno.reports.page.screens import HALF, Size, on_screens
from modeldyno.reports.page.server_timeline import Seen
from modeldyno.reports.page.template import render
from modeldyno.reports.page.token_charts import token_charts
from modeldyno.reports.scenario import (
    NOT_OFFICIAL,
    RULE_WORDS,
    condition_text,
    offered_as_text,
    outcome_text,
    scenario_title,
)
from modeldyno.reports.server import floor_text, queueing_facts, shown_gpus
from modeldyno.reports.tokens import TOKEN_TIMES, highest_level, prompting_text, rate_text, token_facts
from modeldyno.stats.tokens import NO_TOKENS

_TOKEN_SIZES = {"first": HALF, "between": HALF, "rate": Size(1040, 280)}
"""On wide screens, of what `token_charts` draws."""


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
    return render(
        "run.html.jinja",
        run=run,
        headline=run_headline(run),
        highest=tail_level(run.summary) if run.summary else None,
        load=load_charts(requests, run.summary, run.objectives, seen),
        token_load=_token_charts(run, requests, tokens),
        floor_text=floor_text,
        kinds_heading=KINDS_HEADING,
        kind_rows=kind_rows,
        offered_text=offered_text,
        phases_text=phases_text,
        queueing_facts=queueing_facts,
        rows_text=rows_text,
        **server_words(),
        **_scenario_words(),
        **_token_words(),
    )


def _token_charts(run: Run, requests: np.ndarray, tokens: np.ndarray | None) -> dict[str, Markup]:
    if run.summary is None or run.summary.tokens is None:
        return {}
    tokens = NO_TOKENS if tokens is None else tokens
    charts = token_charts(requests, tokens, run.summary.tokens, run.objectives)
    return {name: on_screens(draw, _TOKEN_SIZES[name]) for name, draw in charts.items()}


def _scenario_words() -> dict[str, Any]:
    return {
        "condition_text": condition_text,
        "not_official": NOT_OFFICIAL,
        "offered_as_text": offered_as_text,
        "outcome_text": outcome_text,
        "rule_words": RULE_WORDS,
        "scenario_title": scenario_title,
    }


def _token_words() -> dict[str, Any]:
    return {
        "highest_level": highest_level,
        "prompting_text": prompting_text,
        "token_facts": token_facts,
        "token_rate_text": rate_text,
        "token_times": TOKEN_TIMES,
    }
