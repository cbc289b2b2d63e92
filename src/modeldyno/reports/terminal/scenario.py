"""A scenario of MLPerf Inference as text: its result, its metric, its rules, and that it is not official."""

from modeldyno.records.scenario import ScenarioResult
from modeldyno.reports.scenario import (
    NOT_OFFICIAL,
    RULE_WORDS,
    condition_text,
    offered_as_text,
    outcome_text,
    scenario_title,
)
from modeldyno.reports.terminal.layout import entries, table


def scenario_lines(result: ScenarioResult | None) -> list[str]:
    """The lines between the headline and the load; nothing for a load without a scenario."""
    if result is None:
        return []
    title = " ".join(filter(None, (scenario_title(result), condition_text(result))))
    rows = [("met" if one.is_met else "not met", RULE_WORDS[one.rule], one.evidence) for one in result.checks]
    return [
        *entries("scenario", (title, outcome_text(result), offered_as_text(result), NOT_OFFICIAL)),
        *table("llw", rows),
        *entries("note", result.notes),
    ]
