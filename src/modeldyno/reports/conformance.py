"""What a conformance check found, in words that the terminal and JUnit share."""

from collections.abc import Iterable

from modeldyno.records.conformance import Conformance, RuleOutcome, RuleResult, count_results
from modeldyno.reports.estimates import plural
from modeldyno.reports.headline import Headline

RESULT_WORDS: dict[RuleResult, str] = {
    "pass": "pass",
    "fail": "fail",
    "not_offered": "not offered",
    "skipped": "skipped",
    "not_checked": "not checked",
}
_VERDICT_WORDS = {"pass": "PASS", "fail": "FAIL", "cannot_tell": "CANNOT TELL"}


def conformance_headline(found: Conformance) -> Headline:
    """The verdict in one sentence, and the counts."""
    required = [one for one in found.outcomes if one.severity == "required"]
    failed = _rules(required, "fail")
    judged = len(failed | _rules(required, "pass"))
    if found.state == "lost":
        title = f"The server stopped answering during {lost_at(found)}"
    elif failed:
        title = f"{plural(len(failed), 'required rule')} of {judged} broken"
    elif found.answer == "cannot_tell":
        unjudged = _rules(required, "skipped") | _rules(required, "not_checked")
        title = f"{plural(len(unjudged), 'required rule')} could not be judged"
    elif judged:
        title = f"All {plural(judged, 'required rule')} kept"
    else:
        title = "None of the rules that were checked is required"
    return Headline(answer=found.answer, title=title, detail=counts_text(found))


def _rules(outcomes: Iterable[RuleOutcome], result: RuleResult) -> set[str]:
    """Names of the rules with that result, on whichever model."""
    return {one.rule for one in outcomes if one.result == result}


def lost_at(found: Conformance) -> str:
    """The last rule that was checked."""
    checked = [one.rule for one in found.outcomes if one.result != "not_checked"]
    return checked[-1] if checked else "the first rule"


def counts_text(found: Conformance) -> str:
    """How many of all outcomes there are of each result: `3 fail, 80 pass, 20 not offered`."""
    counts = count_results(found.outcomes)
    return ", ".join(f"{count} {RESULT_WORDS[result]}" for result, count in counts.items() if count)


def outcome_name(outcome: RuleOutcome, found: Conformance) -> str:
    """The rule, with the model where several were checked."""
    return f"{outcome.rule} ({outcome.model})" if outcome.model and len(found.models) > 1 else outcome.rule


def evidence_text(outcome: RuleOutcome) -> str:
    """Why it is not a pass, with the request and the answer, on one line."""
    parts = [outcome.reason]
    if outcome.expected:
        parts = [f"expected {outcome.expected}; {outcome.reason}"]
    if outcome.request:
        parts.append(f"asked: {outcome.request}")
    if outcome.got:
        parts.append(f"got: {outcome.got}")
    return " | ".join(part for part in parts if part)
