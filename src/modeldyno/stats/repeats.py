"""What a reader should know of requests that ask what was asked before: a cache answers those for nothing."""

from modeldyno.records.model_statistics import ModelActivity
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.units import format_fraction

_OFF_BY = 0.02
"""A share that is off by less is what chance makes of the plan's parts, warm-up and measured phase."""


def note_repeats(workload: Workload, effective: EffectiveWorkload, activity: ModelActivity | None) -> list[str]:
    """That more repeats than was asked, or that a cache was flattered by a load that goes round."""
    questions, share = effective.questions, effective.repeated_fraction
    if questions is None or share is None:
        return []
    if workload.repeats is not None:
        return _too_many(workload.repeats.share, share, questions)
    named = workload.trace.questions if workload.trace is not None else None
    if named is not None:
        return _too_few(named, questions)
    hits = activity.cache_hits if activity is not None else 0
    if not hits:
        return []
    told = f"the server gave {hits:,} answers from a cache: this load goes round {questions:,} different requests"
    return [f"{told}, and real traffic may repeat itself less; say how much with --repeats 30%"]


def _too_many(asked: float, share: float, questions: int) -> list[str]:
    if share <= asked + _OFF_BY:
        return []
    told = f"{format_fraction(share)} of the requests ask what was asked before, not {format_fraction(asked)}"
    why = f"there are only {questions:,} different requests to send, and then the same again"
    return [f"{told}: {why}; give more rows (--data), or plan fewer requests"]


def _too_few(named: int, questions: int) -> list[str]:
    if questions >= named:
        return []
    told = f"the trace names {named:,} different questions, and only {questions:,} different requests were sent"
    return [f"{told}: more repeats than in the trace; give more rows (--data)"]
