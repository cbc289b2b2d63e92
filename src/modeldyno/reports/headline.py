"""The verdict of a whole record in one title and one sentence: what a reader should know first."""

from collections.abc import Sequence
from typing import Literal

from modeldyno.records.answers import wrong_answers
from modeldyno.records.base import Record
from modeldyno.records.comparison import Comparison
from modeldyno.records.run import Run, Summary
from modeldyno.records.scenario import ScenarioResult
from modeldyno.records.search import Search
from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict
from modeldyno.reports.estimates import duration_text, failures_text, plural, ratio_text
from modeldyno.reports.findings import tail_level, tally, winning_proof
from modeldyno.reports.scenario import condition_text, outcome_text, scenario_title, unmet_text
from modeldyno.reports.tokens import tokens_text
from modeldyno.units import format_fraction, format_rate


class Headline(Record, frozen=True, kw_only=True):
    """What a reader should know first."""

    answer: Literal["pass", "fail", "cannot_tell", "measured"]
    """`measured`: all is valid, and there was no objective to judge."""
    title: str
    """A few plain words."""
    detail: str
    """One or two sentences with the numbers; empty when the title says it all."""


def search_headline(search: Search) -> Headline:
    """The verdict of a search: for the winner, over its objectives and the validity of its proof."""
    gain = _gain(search)
    proof = winning_proof(search)
    if search.winner is None:
        return _nothing_won(search)
    if proof is None:
        stopped = "the search was interrupted" if search.state == "interrupted" else "the search ended"
        unproven = f"{stopped} before it was put under load, so nothing is claimed over the network."
        return Headline(
            answer="cannot_tell",
            title="Not proven",
            detail=f"{gain}, but {unproven}" if gain else f"{unproven[0].upper()}{unproven[1:]}",
        )
    if proof.verdict.measurement == "invalid":
        return _invalid(proof.verdict)
    judged = judged_headline(search.verdicts)
    if judged.answer in ("fail", "cannot_tell"):
        return judged
    failures = failures_text(proof.summary.failures, proof.summary.requests)
    served = f"{_tail(proof.summary)}{failures} at {format_rate(proof.requested.rate_per_s)}."
    detail = f"{gain}; over HTTP {served}" if gain else f"Over HTTP {served}"
    return Headline(answer=judged.answer, title=judged.title, detail=detail)


def run_headline(run: Run) -> Headline:
    """The verdict of a load run."""
    if run.verdict is None or run.summary is None:
        kept = (
            "nothing was summarised or judged"
            if run.summary is None
            else f"the {plural(run.summary.requests, 'request')} that ended before are shown, and not judged"
        )
        return Headline(answer="cannot_tell", title="Not finished", detail=f"The record is marked {run.state}; {kept}.")
    wrong = wrong_answers(run.verdict)
    if wrong is not None:
        others = [one for one in run.verdict.objectives if one.verdict == "fail" and one is not wrong]
        detail = f"{_sentence(wrong.evidence)} {_evidence(others)}".rstrip()
        return Headline(answer="fail", title="The server gave wrong answers", detail=detail)
    if run.verdict.measurement == "invalid":
        return _invalid(run.verdict)
    judged = judged_headline(run.verdict.objectives)
    if run.scenario is not None:
        return _with_scenario(run.scenario, judged)
    if judged.answer in ("fail", "cannot_tell"):
        return judged
    summary = run.summary
    tokens = tokens_text(summary.tokens)
    return Headline(
        answer=judged.answer,
        title=judged.title,
        detail=f"{plural(summary.requests, 'request')} at {format_rate(summary.rate_delivered_per_s)}: "
        f"{_tail(summary)}{f'{tokens}, ' if tokens else ''}{failures_text(summary.failures, summary.requests)}.",
    )


def comparison_headline(comparison: Comparison) -> Headline:
    """The verdict of a comparison: whether B is worse than allowed, and what is known of the change."""
    if comparison.measurement == "invalid":
        return Headline(
            answer="cannot_tell",
            title="The comparison is not valid",
            detail=" ".join(_sentence(reason[0].upper() + reason[1:]) for reason in comparison.reasons),
        )
    answer = comparison.regression
    deciding = [one for one in comparison.metrics if one.regression == answer]
    evidence = " ".join(_sentence(one.evidence) for one in deciding)
    if answer == "fail":
        return Headline(answer="fail", title="B is worse than allowed", detail=evidence)
    if answer == "cannot_tell":
        return Headline(
            answer="cannot_tell", title="It cannot be told whether B is worse than allowed", detail=evidence
        )
    changed = {
        change: [one.metric for one in comparison.metrics if one.change == change]
        for change in ("better", "worse", "equal", "cannot_tell")
    }
    words = {"worse": "worse within the limit", "cannot_tell": "within the limit, the change cannot be told"}
    told = "; ".join(f"{', '.join(names)} {words.get(change, change)}" for change, names in changed.items() if names)
    if changed["worse"]:
        title = "B is worse, but no more than allowed"
    elif changed["better"]:
        title = "B is better"
    elif changed["cannot_tell"]:
        title = "B is not worse than allowed"
    else:
        title = f"A and B are equal within {format_fraction(comparison.margin)}"
    return Headline(answer="pass", title=title, detail=_sentence(told))


def _with_scenario(result: ScenarioResult, judged: Headline) -> Headline:
    """The scenario first when its rules are not met, else the objectives when one is not."""
    if result.answer != "pass":
        return Headline(answer=result.answer, title=scenario_title(result), detail=unmet_text(result))
    if judged.answer in ("fail", "cannot_tell"):
        return judged
    met = f" {_sentence(judged.title)}" if judged.answer == "pass" else ""
    condition = f", {condition_text(result)}" if condition_text(result) else ""
    detail = f"{outcome_text(result)}{condition}."
    return Headline(answer="pass", title=scenario_title(result), detail=f"{detail[0].upper()}{detail[1:]}{met}")


def _gain(search: Search) -> str:
    if search.speedup is None:
        return ""
    same = search.speedup.same_batch
    fairly = f" ({ratio_text(same)} at the same batch size)" if same is not None else ""
    return f"In process {ratio_text(search.speedup.ratio)} the items/s of the model as it came{fairly}"


def _tail(summary: Summary) -> str:
    level = tail_level(summary)
    return f"{level[0]} {duration_text(getattr(summary.response_time, level[1]))}, " if level else ""


def _nothing_won(search: Search) -> Headline:
    counts = tally(search)
    if search.state == "interrupted":
        return Headline(
            answer="cannot_tell",
            title="Stopped before anything could be chosen",
            detail=f"{plural(counts.tried, 'candidate')} had been tried. "
            "The same command again goes on where it stopped.",
        )
    return Headline(
        answer="fail",
        title="No deployment can be recommended",
        detail=f"Of {plural(counts.tried, 'candidate')}, {counts.refused:,} "
        f"{'was' if counts.refused == 1 else 'were'} refused and none of the others won.",
    )


def _invalid(verdict: MeasurementVerdict) -> Headline:
    return Headline(
        answer="cannot_tell",
        title="The measurement is not valid",
        detail=" ".join(_sentence(reason[0].upper() + reason[1:]) for reason in verdict.reasons),
    )


def judged_headline(verdicts: Sequence[ObjectiveVerdict]) -> Headline:
    """The verdict over objectives alone."""
    failed = [one for one in verdicts if one.verdict == "fail"]
    unknown = [one for one in verdicts if one.verdict == "cannot_tell"]
    if failed:
        title = "An objective failed" if len(failed) == 1 else f"{len(failed)} objectives failed"
        return Headline(answer="fail", title=title, detail=_evidence(failed))
    if unknown:
        title = "One objective cannot be told" if len(unknown) == 1 else f"{len(unknown)} objectives cannot be told"
        return Headline(answer="cannot_tell", title=title, detail=_evidence(unknown))
    if not verdicts:
        return Headline(answer="measured", title="Measured; no objectives were set", detail="")
    title = "The objective is met" if len(verdicts) == 1 else f"All {len(verdicts)} objectives are met"
    return Headline(answer="pass", title=title, detail="")


def _evidence(verdicts: Sequence[ObjectiveVerdict]) -> str:
    return " ".join(_sentence(f"{one.objective}: {one.evidence}") for one in verdicts)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
