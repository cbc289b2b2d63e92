"""The tokens of a language model's load, as text."""

from modeldyno.records.run import LatencySummary, TokenSummary
from modeldyno.reports.estimates import duration_text
from modeldyno.reports.terminal.layout import entry, table
from modeldyno.reports.tokens import TOKEN_TIMES, streams, token_facts
from modeldyno.reports.wording import LATENCY_LEVELS


def token_lines(tokens: TokenSummary | None) -> list[str]:
    """The times of tokens side by side, and their rates and numbers; nothing for other loads."""
    if tokens is None:
        return []
    lines = ["", *_times(tokens), ""] if streams(tokens) else [""]
    for place, (name, value) in enumerate(token_facts(tokens)):
        lines += entry("" if place else "tokens", f"{name} {value}")
    return lines


def _times(tokens: TokenSummary) -> list[str]:
    columns: list[LatencySummary] = [getattr(tokens, field) for _, field in TOKEN_TIMES]
    rows: list[tuple[str, ...]] = [("", *(name for name, _ in TOKEN_TIMES))]
    rows += [(name, *(duration_text(getattr(column, field)) for column in columns)) for name, field in LATENCY_LEVELS]
    return table("leeee", rows)
