"""A run and a search as Markdown, for an issue, a pull request or a wiki: the verdict first, tables after it.

Tables are those of GitHub Flavored Markdown (github.github.com/gfm, "Tables").
"""

from collections.abc import Sequence

from modeldyno.records.run import Run, Summary, TokenSummary
from modeldyno.records.scenario import ScenarioResult
from modeldyno.records.search import Search
from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict
from modeldyno.reports.estimates import duration_text, failures_text, items_text, plural, ratio_text
from modeldyno.reports.findings import fastest_first, finalist_for, winning_point, winning_proof
from modeldyno.reports.headline import Headline, run_headline, search_headline
from modeldyno.reports.kinds import KINDS_HEADING, kind_rows
from modeldyno.reports.markdown_blocks import bullets, document, escaped, facts, table
from modeldyno.reports.offered import delivered_text, offered_text, rows_text
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
    split_source_text,
)
from modeldyno.reports.tokens import TOKEN_TIMES, prompting_text, streams, token_facts
from modeldyno.reports.wording import ANSWER_WORDS, LATENCY_LEVELS, SPLIT_PARTS, moment
from modeldyno.units import format_duration, format_rate, format_size

_WORDS = {"pass": "PASS", "fail": "FAIL", "cannot_tell": "CANNOT TELL", "measured": "DONE"}


def run_markdown(run: Run) -> str:
    """A load run."""
    asked = run.requested
    blocks = [
        _heading(f"{asked.model} under load", run_headline(run)),
        facts(
            [
                ("target", asked.url),
                ("asked", f"{offered_text(asked)}, {rows_text(asked)}"),
                ("prompts", prompting_text(asked.prompting) if asked.prompting is not None else ""),
                ("measured", moment(run.started_at)),
                ("machine", f"{run.environment.cpu_model}, {plural(run.environment.cores, 'core')}"),
                ("instrument's floor", floor_text(run.floor) if run.floor is not None else ""),
            ]
        ),
    ]
    if run.verdict is not None:
        blocks += [_objectives(run.verdict.objectives), _measurement(run.verdict)]
    if run.scenario is not None:
        blocks += _scenario(run.scenario)
    if run.summary is not None:
        blocks += _load(run.summary)
        blocks += _tokens(run.summary.tokens)
    if run.queueing is not None:
        blocks += ["## Queueing, estimated from a low load", facts(queueing_facts(run))]
    if run.server is not None:
        blocks += ["## What the server used", facts(server_facts(run.server))]
    if run.gpus and gpu_facts(run.gpus):
        blocks += ["## GPUs", facts(gpu_facts(run.gpus))]
    if run.activity is not None:
        blocks += ["## What the server counted", facts(activity_facts(run.activity))]
    if run.metrics:
        blocks += ["## Growth of the server's counters", table(("series", "growth"), metric_rows(run.metrics))]
    return document(blocks)


def search_markdown(search: Search) -> str:
    """A search, with what was proven of its winner."""
    proof = winning_proof(search)
    blocks = [
        _heading(search.model.name, search_headline(search)),
        facts(
            [
                ("data", search.data or "none given"),
                ("asked", format_rate(search.rate_per_s)),
                ("measured", moment(search.started_at)),
                ("machine", f"{search.environment.cpu_model}, {plural(search.environment.cores, 'core')}"),
                ("best", search.winner.label if search.winner is not None else "none"),
                ("speed-up in process", ratio_text(search.speedup.ratio) if search.speedup is not None else ""),
                ("bundle", search.bundle or ""),
            ]
        ),
        _objectives(search.verdicts),
        bullets(search.why),
        "## Every measured deployment",
        _points(search),
    ]
    if search.refused:
        rows = [(one.name, one.stage, one.reason) for one in search.refused]
        blocks += ["## Refused", table(("name", "stage", "reason"), rows)]
    if proof is not None:
        cpu, memory = proof.server_cpu_ns_per_request, proof.server_peak_memory_bytes
        used = [
            ("server CPU a request", format_duration(cpu) if cpu is not None else ""),
            ("server peak memory", format_size(memory) if memory is not None else ""),
        ]
        blocks += ["## The proof, over HTTP", _measurement(proof.verdict), facts(used), *_load(proof.summary)]
    return document(blocks)


def _points(search: Search) -> str:
    winner = winning_point(search)
    rows = []
    for point in fastest_first(search.points):
        finalist = finalist_for(search, point)
        rows.append(
            (
                f"{point.deployment.label}{' (winner)' if point == winner else ''}",
                items_text(point.items_per_s),
                ratio_text(point.ratio_to_best),
                duration_text(finalist.proof.summary.response_time.p99_ns) if finalist is not None else "",
            )
        )
    heading = ("deployment", "items/s", "to the fastest", f"p99 at {format_rate(search.rate_per_s)}")
    return table(heading, rows)


def _load(summary: Summary) -> list[str]:
    columns = (summary.response_time, summary.service_time, summary.lateness)
    latencies = [
        (name, *(duration_text(getattr(column, field)) for column in columns)) for name, field in LATENCY_LEVELS
    ]
    failures = failures_text(summary.failures, summary.requests)
    delivered = f"{plural(summary.requests, 'request')}, {delivered_text(summary)}; {failures}."
    blocks = [
        "## Latency",
        escaped(delivered),
        table(("", "response time", "service time", "lateness of sends"), latencies),
    ]
    if summary.kinds:
        blocks += ["## Response time by kind", table(KINDS_HEADING, kind_rows(summary))]
    if summary.split is not None:
        parts = [(name, getattr(summary.split, field)) for name, field in SPLIT_PARTS]
        rows = [(name, format_duration(part) if part is not None else "not reported") for name, part in parts]
        parted = table(("part", "mean"), rows)
        source = split_source_text(summary.split)
        blocks += ["## Where the response time goes", parted, f"Source: {escaped(source)}." if source else ""]
    return blocks


def _tokens(tokens: TokenSummary | None) -> list[str]:
    if tokens is None:
        return []
    rows = [
        (name, *(duration_text(getattr(getattr(tokens, time), field)) for _, time in TOKEN_TIMES))
        for name, field in LATENCY_LEVELS
    ]
    times = [table(("", *(name for name, _ in TOKEN_TIMES)), rows)] if streams(tokens) else []
    return ["## Tokens", facts(token_facts(tokens)), *times]


def _heading(subject: str, headline: Headline) -> str:
    detail = f"\n\n{escaped(headline.detail)}" if headline.detail else ""
    return f"# {escaped(subject)}: {_WORDS[headline.answer]}\n\n**{escaped(headline.title)}.**{detail}"


def _objectives(verdicts: Sequence[ObjectiveVerdict]) -> str:
    rows = [(ANSWER_WORDS[one.verdict], one.objective, one.evidence) for one in verdicts]
    return table(("verdict", "objective", "evidence"), rows) if rows else ""


def _measurement(verdict: MeasurementVerdict) -> str:
    lines = bullets([*(f"not valid: {reason}" for reason in verdict.reasons), *verdict.notes])
    return f"Measurement: {verdict.measurement}." + (f"\n\n{lines}" if lines else "")


def _scenario(result: ScenarioResult) -> list[str]:
    rows = [("met" if one.is_met else "not met", RULE_WORDS[one.rule], one.evidence) for one in result.checks]
    said = [condition_text(result), outcome_text(result), offered_as_text(result), NOT_OFFICIAL, *result.notes]
    return [
        f"## {escaped(scenario_title(result))}",
        bullets([line for line in said if line]),
        table(("", "rule", "evidence"), rows),
    ]
