"""A search as text: the verdict, what was tried, what won and why, what was proven, what to type next."""

import shlex

from modeldyno.records.run import Summary
from modeldyno.records.search import Search
from modeldyno.records.speed import SpeedPoint
from modeldyno.reports.estimates import (
    MISSING,
    duration_text,
    failures_text,
    metric_name,
    metric_text,
    plural,
    ratio_text,
)
from modeldyno.reports.findings import (
    fastest_first,
    finalist_for,
    headline_metrics,
    is_clearly_slower,
    reference_quality,
    refusal_of,
    tail_level,
    tally,
    winning_artifact,
    winning_point,
    winning_proof,
)
from modeldyno.reports.headline import search_headline
from modeldyno.reports.terminal.layout import entries, entry, joined, spaced, table
from modeldyno.reports.terminal.place import machine_lines, model_line
from modeldyno.reports.terminal.run import split_lines
from modeldyno.reports.terminal.speed import speed_table
from modeldyno.reports.terminal.verdicts import headline_lines, measurement_lines, objective_lines
from modeldyno.units import format_duration, format_rate, format_size

_SHOWN = 8


def search_text(search: Search) -> str:
    """The whole search; every state of the record has words, from interrupted to proven."""
    lines = [
        *headline_lines(search_headline(search)),
        "",
        *model_line(search.model),
        *entry("data", search.data or "none given: inputs were made from the signature, quality was not judged"),
        *_reference_lines(search),
        *machine_lines(search.environment),
        "",
        *_tried_lines(search),
        *_speed_lines(search),
        "",
        *_winner_lines(search),
        "",
        *_refused_lines(search),
        "",
        *objective_lines(search.verdicts),
        "",
        *entries("advice", search.advice),
        "",
        *_next_lines(search),
    ]
    return joined(lines)


def _reference_lines(search: Search) -> list[str]:
    quality = reference_quality(search.assessed)
    if quality is None:
        why = "the data have no labels" if search.data and not search.labelled else "quality was not measured"
        return entry("reference", why)
    metrics = (f"{metric_name(name)} {metric_text(name, quality.metrics[name])}" for name in headline_metrics(quality))
    return entry("reference", spaced(*metrics))


def _tried_lines(search: Search) -> list[str]:
    counts = tally(search)
    taken_over = ", partly taken over from an earlier search" if search.resumed else ""
    stopped = " before it was interrupted" if search.state == "interrupted" else ""
    return entry(
        "tried",
        f"{plural(counts.tried, 'candidate')} in {format_duration(search.elapsed_ns, 2)} "
        f"of {format_duration(search.budget_ns, 2)}{stopped}{taken_over}: {counts.measured} measured, "
        f"{counts.clearly_slower} clearly slower, {counts.refused} refused",
    )


def _speed_lines(search: Search) -> list[str]:
    if not search.points:
        return []
    ranked = fastest_first(search.points)
    shown = [point for point in ranked if not is_clearly_slower(point)][:_SHOWN] or ranked[:_SHOWN]
    reference = search.speedup.reference if search.speedup else None
    proven = [point for point in ranked if finalist_for(search, point) is not None or point == reference]
    shown += [point for point in proven if point not in shown]
    winner = winning_point(search)

    def under_load(point: SpeedPoint) -> str:
        refusal = refusal_of(search, point)
        if refusal is not None:
            return f"refused: {refusal.stage}"
        finalist = finalist_for(search, point)
        return duration_text(finalist.proof.summary.response_time.p99_ns) if finalist else MISSING

    lines = speed_table(
        shown,
        is_best=lambda point: point == winner,
        last_heading=f"p99 at {format_rate(search.rate_per_s)}",
        last_cell=under_load,
    )
    left = sum(point not in shown for point in search.points)
    notes = [
        "the last row is the model as it came" if shown[-1] == reference != winner else "",
        f"the report has {left:,} more, slower" if left else "",
    ]
    note = "; ".join(part for part in notes if part)
    return ["", *lines, *([f"  {note}"] if note else [])]


def _winner_lines(search: Search) -> list[str]:
    if search.winner is None:
        yet = "none yet: " if search.state == "interrupted" else "none: "
        return entry("best", f"{yet}no deployment may be recommended")
    return [*_best_lines(search), *entries("why", search.why), *_proof_lines(search)]


def _best_lines(search: Search) -> list[str]:
    winner = search.winner
    if winner is None:
        return []
    gain = ""
    if search.speedup is not None:
        gain = f": {ratio_text(search.speedup.ratio)} the items/s of the model as it came, one row a call"
        if search.speedup.same_batch is not None:
            gain += f", {ratio_text(search.speedup.same_batch)} at the same batch size"
    chosen = winning_artifact(search)
    answers = ""
    if chosen is not None and chosen.change is not None:
        rows = chosen.change.rows
        answers = f"; same answers on {rows - chosen.change.flips:,} of {rows:,} rows"
    return entry("best", f"{winner.label}{gain}{answers}")


def _proof_lines(search: Search) -> list[str]:
    proof = winning_proof(search)
    if proof is None:
        return entry("proof", "none: it was not put under load, so nothing is claimed over the network")
    summary = proof.summary
    cpu, memory = proof.server_cpu_ns_per_request, proof.server_peak_memory_bytes
    facts = [
        f"response time p50 {duration_text(summary.response_time.p50_ns)}",
        *_tail_facts(summary),
        failures_text(summary.failures, summary.requests),
        f"{format_duration(cpu)} of server CPU a request" if cpu is not None else "",
        f"peak memory {format_size(memory)}" if memory is not None else "",
    ]
    offered = f"{plural(summary.requests, 'request')} over HTTP at {format_rate(summary.rate_delivered_per_s)}"
    offered += f" of {format_rate(summary.rate_asked_per_s)} asked ({proof.requested.arrivals.capitalize()})"
    judged = f"measurement {proof.verdict.measurement}"
    return [
        *entry("proof", f"{offered}: {', '.join(fact for fact in facts if fact)}; {judged}"),
        *split_lines(summary.split),
        *measurement_lines(proof.verdict),
    ]


def _tail_facts(summary: Summary) -> list[str]:
    level = tail_level(summary)
    if level is None:
        return ["too few requests for p90"]
    name, field = level
    facts = [
        f"{name} {duration_text(getattr(summary.response_time, field))}",
        f"service time {name} {duration_text(getattr(summary.service_time, field))}",
    ]
    return facts if name == "p99" else [*facts, "too few requests for p99"]


def _refused_lines(search: Search) -> list[str]:
    if not search.refused:
        return []
    return ["refused", *table("llw", [(one.name, one.stage, one.reason) for one in search.refused])]


def _next_lines(search: Search) -> list[str]:
    lines: list[str] = []
    if search.bundle is not None:
        lines += [f"bundle     {search.bundle}"]
    if search.report is not None:
        lines += [f"report     {search.report}"]
    if search.bundle is not None:
        lines += ["", f"next       dyno serve {shlex.quote(search.bundle)}"]
    if search.state == "interrupted":
        again = "type the same command again: it goes on where it stopped"
        lines += entry("", f"or {again}") if search.bundle is not None else ["", *entry("next", again)]
    return lines
