"""Drawings of a language model's load: the times of tokens as spectra, and their rate over the run."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from markupsafe import Markup

from modeldyno.records.objective import TOKEN_LATENCY_METRICS, Objective
from modeldyno.records.requests import Outcome
from modeldyno.records.run import LatencySummary, TokenSummary
from modeldyno.reports.estimates import duration_text
from modeldyno.reports.page import svg
from modeldyno.reports.page.axes import Frame, scaled_label, x_axis, y_axis
from modeldyno.reports.page.screens import Drawing
from modeldyno.reports.page.spectrum import Distributed, distribution_chart
from modeldyno.reports.page.timeline import format_seconds, warmup_band
from modeldyno.stats.summary import measured_rows
from modeldyno.stats.tokens import first_token_times, gaps_between_tokens, times_per_token, weighted_moments

_STRETCHES = 60


def token_charts(
    requests: np.ndarray, tokens: np.ndarray, summary: TokenSummary, objectives: Sequence[Objective]
) -> dict[str, Drawing]:
    """`first`, `between` and `rate`, to be drawn in several sizes; the times only where answers streamed.

    Args:
        requests: rows of `records.requests.REQUEST_DTYPE`, warm-up included.
        tokens: rows of `records.requests.TOKEN_DTYPE`.
        summary: of the same.
        objectives: the limits among them are drawn.
    """
    charts: dict[str, Drawing] = {}
    rates = _rates(requests, tokens)
    if rates:
        charts["rate"] = partial(_rate_chart, rates, requests)
    if summary.streamed:
        rows = measured_rows(requests)
        charts["first"] = partial(distribution_chart, _first(rows, summary, objectives))
        charts["between"] = partial(distribution_chart, _between(rows, tokens, summary, objectives))
    return charts


def _first(rows: np.ndarray, summary: TokenSummary, objectives: Sequence[Objective]) -> Distributed:
    answered = rows[(rows["outcome"] == Outcome.OK) & (rows["first_token_ns"] >= 0)]
    return Distributed(
        name="time to first token",
        above_ns=np.sort(first_token_times(rows)),
        below_ns=np.sort((answered["first_token_ns"] - answered["sent_ns"]).astype(np.float64)),
        marked=summary.time_to_first_token,
        limits=_limits(objectives, "ttft"),
        counted="requests",
        words=_in_words("the time to the first token", summary.time_to_first_token),
    )


def _between(
    rows: np.ndarray, tokens: np.ndarray, summary: TokenSummary, objectives: Sequence[Objective]
) -> Distributed:
    per_token = times_per_token(rows)
    return Distributed(
        name="between tokens",
        above_ns=np.sort(gaps_between_tokens(rows, tokens)),
        below_ns=np.sort(per_token[np.isfinite(per_token)]),
        marked=summary.inter_token_latency,
        limits=[*_limits(objectives, "itl"), *_limits(objectives, "tpot")],
        counted="gaps",
        words=_in_words("the time between tokens", summary.inter_token_latency),
    )


def _limits(objectives: Sequence[Objective], time: str) -> list[tuple[str, float]]:
    return [
        (one.text, one.limit)
        for one in objectives
        if one.limit is not None and TOKEN_LATENCY_METRICS.get(one.metric, ("", ""))[0] == time
    ]


def _in_words(name: str, found: LatencySummary) -> str:
    levels = (("p50", found.p50_ns), ("p90", found.p90_ns), ("p99", found.p99_ns))
    facts = [f"{level} {duration_text(estimate)}" for level, estimate in levels if estimate is not None]
    return f"Percentile spectrum of {name}: {', '.join(facts) or 'too few for any percentile'}."


def _rates(requests: np.ndarray, tokens: np.ndarray) -> list[tuple[float, float]]:
    """(seconds, output tokens per second) in stretches of the whole plan, warm-up included; empty without a token."""
    rows = requests[requests["outcome"] != Outcome.INTERRUPTED]
    moments, weights = weighted_moments(rows, tokens)
    if not len(rows) or not weights.sum() > 0:
        return []
    first, last = int(rows["planned_ns"].min()), int(rows["planned_ns"].max()) + 1
    counts, edges = np.histogram(moments, np.linspace(first, last, _STRETCHES + 1), weights=weights)
    middles = ((edges[:-1] + edges[1:]) / 2 - first) / 1e9
    return list(zip(middles.tolist(), (counts * _STRETCHES / (last - first) * 1e9).tolist(), strict=True))


def _rate_chart(
    rates: Sequence[tuple[float, float]], requests: np.ndarray, *, width: int, height: int, class_: str
) -> Markup:
    frame = Frame(width=width, height=height, top=34, right=28)
    end_s = rates[-1][0] + rates[0][0]
    highest = max(rate for _, rate in rates)
    across, up = frame.across(0, end_s, is_log=False), frame.up(0, highest * 1.2, is_log=False)
    marks = [
        svg.group(
            svg.title(f"{at:.2f} s: {scaled_label(rate)} tokens/s"),
            svg.element("circle", cx=across.place(at), cy=up.place(rate), r=2.2, class_="largest"),
        )
        for at, rate in rates
    ]
    return svg.chart(
        width,
        height,
        f"Output tokens a second over {end_s:.0f} seconds: at most {scaled_label(highest)}.",
        *warmup_band(frame, across, requests),
        x_axis(frame, across, "seconds since the start", format_seconds, most=6 if width < 400 else 9),
        y_axis(frame, up, "output tokens/s", scaled_label),
        svg.polyline([(across.place(at), up.place(rate)) for at, rate in rates], "curve response"),
        *marks,
        class_=class_,
    )
