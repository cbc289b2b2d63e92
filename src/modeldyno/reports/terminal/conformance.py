"""What a conformance check found, as text: what fails first, with the evidence and what to do about it."""

from collections.abc import Sequence

from modeldyno.records.conformance import RESULTS, Conformance, RuleDescription, RuleOutcome, count_results
from modeldyno.reports.conformance import RESULT_WORDS, conformance_headline, outcome_name
from modeldyno.reports.estimates import MISSING, plural
from modeldyno.reports.terminal.layout import entries, entry, joined, spaced, table
from modeldyno.reports.terminal.verdicts import headline_lines

_HEADINGS = (
    ("required", "required rules that fail"),
    ("recommended", "recommended rules that fail"),
    ("extension", "rules of extensions that fail"),
)
_LONGEST = 94


def conformance_text(found: Conformance) -> str:
    """The verdict, the server, every failure, what could not be judged, and the counts of each group."""
    lines = [*headline_lines(conformance_headline(found)), "", *_server(found), ""]
    for severity, heading in _HEADINGS:
        failed = [one for one in found.outcomes if one.result == "fail" and one.severity == severity]
        if failed:
            rules = list(dict.fromkeys(one.rule for one in failed))
            alike = [[one for one in failed if one.rule == rule] for rule in rules]
            lines += [heading, *(line for group in alike for line in _failure(group, found)), ""]
    lines += _unjudged(found)
    lines += ["", *_groups(found.outcomes), "", *entries("note", found.notes)]
    lines += entry("next", _next_step(found))
    return joined(lines)


def rules_text(rules: Sequence[RuleDescription]) -> str:
    """Every rule with what it says and where that is written."""
    lines = []
    for rule in rules:
        lines += [spaced(rule.rule, rule.severity), *table("lw", [("says", rule.says), ("source", rule.source)])]
    return joined([*lines, "", plural(len(rules), "rule")])


def _server(found: Conformance) -> list[str]:
    return [
        *entry("server", spaced(found.server or "without a name", found.url, found.grpc_url)),
        *entry("models", ", ".join(found.models)),
        *entry("extensions", ", ".join(found.extensions) or MISSING),
    ]


def _failure(alike: Sequence[RuleOutcome], found: Conformance) -> list[str]:
    """One rule with the evidence of the first model that breaks it, and the names of all that do."""
    outcome = alike[0]
    models = f" ({', '.join(one.model for one in alike)})" if outcome.model and len(found.models) > 1 else ""
    rows = [
        ("rule", outcome.says),
        ("expected", outcome.expected),
        ("found", outcome.reason),
        ("asked", _cut(outcome.request)),
        ("got", _cut(outcome.got)),
        ("source", outcome.source),
        ("advice", outcome.advice),
    ]
    return [f"  {outcome.rule}{models}", *table("lw", [row for row in rows if row[1]], indent="    ")]


def _cut(text: str) -> str:
    """What was sent and what came, short enough for a line, for JSON cannot be wrapped; the record has more of it."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _unjudged(found: Conformance) -> list[str]:
    rows = [
        (outcome_name(one, found), RESULT_WORDS[one.result], one.reason)
        for one in found.outcomes
        if one.result in ("skipped", "not_checked")
    ]
    return ["could not be judged", *table("llw", rows), ""] if rows else []


def _groups(outcomes: Sequence[RuleOutcome]) -> list[str]:
    groups = list(dict.fromkeys(one.rule.partition(".")[0] for one in outcomes))
    rows: list[tuple[str, ...]] = [("group", *(RESULT_WORDS[result] for result in RESULTS))]
    for group in groups:
        counts = count_results(one for one in outcomes if one.rule.partition(".")[0] == group)
        rows.append((group, *(str(counts[result]) if counts[result] else MISSING for result in RESULTS)))
    return table("lrrrrr", rows)


def _next_step(found: Conformance) -> str:
    failed = next((one.rule for one in found.outcomes if one.result == "fail"), None)
    address = found.url or found.grpc_url
    if failed is None:
        return f"dyno load {address} --rate 100 to see how fast it answers"
    return f"dyno conform {address} --rule {failed} --json shows the whole evidence; --list explains every rule"
