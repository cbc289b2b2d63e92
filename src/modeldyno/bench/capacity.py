"""The highest rate that meets the objectives: climb by doubling, bisect, confirm.

What to measure next is a pure function of the probes so far, so that a stopped search goes on from its record. Each
probe is judged pass, fail or undecided by one-sided bounds (stats/probes.py); an undecided one is prolonged, doubling
the measured time. What stays undecided for long waits until a rate is found and confirmed, and is then measured for as
long as is allowed. The found rate is measured once more, for longer and judged
alone: the highest of several rates that passed is the luckiest of them too.

While climbing, an undecided probe whose point values meet the limits is left alone and the rate doubled: at low rates
the wanted number of requests takes minutes, at higher ones seconds, and nothing is claimed of it. Bisection was
preferred to regula falsi: latency near capacity is so steep that a line through two probes finds the steep side only.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modeldyno.clock import Clock
from modeldyno.records.capacity import CapacitySettings, Probe, Purpose
from modeldyno.stats.capacity import Bracket, bracket_of, open_gap

MOST_DISTURBED = 3
"""A client that was the limit once or twice may have been disturbed; three times, it is the limit."""
_SLACK = 1.0001


@dataclass(frozen=True, slots=True)
class Plan:
    """The next run."""

    rate_per_s: float
    purpose: Purpose
    duration_ns: int
    earlier: Probe | None = None
    """The probe that this run prolongs or repeats."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How to look."""

    settings: CapacitySettings
    requests_needed: int
    """About how many requests the most demanding objective needs."""
    overhead_ns: int
    """Time of a run beside its measured phase: warm-up, connecting, the last answers."""

    def first_duration_ns(self, rate_per_s: float) -> int:
        """Long enough to decide if all goes well, within what is allowed."""
        wanted = round(self.requests_needed / rate_per_s * 1e9)
        return min(self.settings.longest_probe_ns, max(self.settings.probe_ns, wanted))

    def confirming_duration_ns(self, passed: Probe) -> int:
        """Twice that of a probe, and no shorter than what it took to pass."""
        return max(2 * self.first_duration_ns(passed.rate_per_s), passed.duration_ns)

    def patience_ns(self, probe: Probe) -> int:
        """Measured time after which other rates come first: twice what should do."""
        enough_ns = self.first_duration_ns(probe.rate_per_s) * (2 if probe.purpose == "confirm" else 1)
        return min(self.longest_ns(probe.purpose), 2 * enough_ns)

    def longest_ns(self, purpose: Purpose) -> int:
        """Measured time after which a rate stays undecided."""
        return self.settings.longest_probe_ns * (2 if purpose == "confirm" else 1)


def next_plan(probes: Sequence[Probe], rules: Rules) -> Plan | None:
    """What to measure next; None when nothing more would make the answer better."""
    if not probes:
        return _first_look(rules.settings.from_per_s, "climb", rules)
    again = _again(probes[-1], rules)
    if again is not None:
        return again
    bracket = bracket_of(probes)
    higher = _climb(probes, bracket, rules)
    if higher is not None:
        return higher
    # Rates that were left undecided on the way up are decided now, the highest first: most of them lie below it.
    for one in reversed(bracket.undecided):
        longer = _prolonged(one, rules, rules.patience_ns(one))
        if longer is not None:
            return longer
    gap = open_gap(bracket, rules.settings.precision)
    if gap is not None:
        return _first_look(math.sqrt(gap[0] * gap[1]), "bisect", rules)
    return confirming_plan(bracket, rules) or _stubborn(bracket, rules)


def _stubborn(bracket: Bracket, rules: Rules) -> Plan | None:
    """An undecided rate for as long as is allowed, once all that is cheaper was done; the lowest raises the answer."""
    longer = (_prolonged(one, rules, rules.longest_ns(one.purpose)) for one in bracket.undecided)
    return next((plan for plan in longer if plan is not None), None)


def confirming_plan(bracket: Bracket, rules: Rules) -> Plan | None:
    """The longer run at the found rate; None when there is none, or it was made."""
    if bracket.passed is None or bracket.is_confirmed:
        return None
    return Plan(bracket.passed.rate_per_s, "confirm", rules.confirming_duration_ns(bracket.passed))


def _first_look(rate_per_s: float, purpose: Purpose, rules: Rules) -> Plan:
    if purpose == "climb":
        return Plan(rate_per_s, purpose, rules.settings.probe_ns)
    return Plan(rate_per_s, purpose, rules.first_duration_ns(rate_per_s))


def _again(last: Probe, rules: Rules) -> Plan | None:
    """The last probe once more, when it is not settled and now is the time to settle it."""
    if last.verdict.answer == "client_limited" and last.disturbed < MOST_DISTURBED:
        duration_ns = min(last.duration_ns, rules.first_duration_ns(last.rate_per_s))
        return Plan(last.rate_per_s, last.purpose, duration_ns, earlier=last)
    if last.verdict.answer != "undecided" or (last.purpose == "climb" and last.verdict.leans_to_pass):
        return None
    return _prolonged(last, rules, rules.patience_ns(last))


def _prolonged(probe: Probe, rules: Rules, limit_ns: int) -> Plan | None:
    left_ns = limit_ns - probe.duration_ns
    if left_ns < rules.settings.probe_ns // 4:
        return None
    missing_ns = rules.first_duration_ns(probe.rate_per_s) - probe.duration_ns
    return Plan(probe.rate_per_s, probe.purpose, min(max(probe.duration_ns, missing_ns), left_ns), earlier=probe)


def _climb(probes: Sequence[Probe], bracket: Bracket, rules: Rules) -> Plan | None:
    highest = max(one.rate_per_s for one in probes)
    ceiling = rules.settings.up_to_per_s or math.inf
    if bracket.failed is not None or highest * _SLACK >= ceiling:
        return None
    return _first_look(min(2 * highest, ceiling), "climb", rules)


@dataclass(frozen=True, slots=True)
class SearchEnd:
    """How a search came to its end."""

    probes: tuple[Probe, ...]
    why: str
    """`settled`, `budget` or `interrupted`."""


def search_capacity(
    measure: Callable[[Plan], Probe],
    rules: Rules,
    *,
    earlier: Sequence[Probe] = (),
    clock: Clock,
    deadline_ns: int,
    save: Callable[[tuple[Probe, ...]], None] = lambda _: None,
) -> SearchEnd:
    """Measure until the answer is as good as it gets, the time is spent, or the user stops it.

    Args:
        measure: makes a run and judges it, together with those of `plan.earlier`; raises KeyboardInterrupt when the
            user stops it.
        rules: how to look.
        earlier: probes of a stopped search.
        clock: for the deadline.
        deadline_ns: no run is begun that would end later, except the very first.
        save: called with all probes after each one.
    """
    probes = tuple(earlier)
    while True:
        plan = next_plan(probes, rules)
        if plan is None:
            return SearchEnd(probes, "settled")
        affordable = _affordable(plan, probes, rules, left_ns=deadline_ns - clock.now_ns())
        if affordable is None:
            return SearchEnd(probes, "budget")
        try:
            found = measure(affordable)
        except KeyboardInterrupt:
            return SearchEnd(probes, "interrupted")
        probes = (*(one for one in probes if one is not affordable.earlier), found)
        save(probes)


def _affordable(plan: Plan, probes: Sequence[Probe], rules: Rules, *, left_ns: int) -> Plan | None:
    """The plan, if there is time for it and for confirming what passed; else the confirmation; else None."""
    if not probes:
        return plan
    confirming = confirming_plan(bracket_of(probes), rules)
    own_ns = plan.duration_ns + rules.overhead_ns
    kept_ns = 0 if confirming is None or plan.purpose == "confirm" else confirming.duration_ns + rules.overhead_ns
    if own_ns + kept_ns <= left_ns:
        return plan
    if confirming is None or (plan.earlier is not None and plan.purpose == "confirm"):
        return None
    return confirming if confirming.duration_ns + rules.overhead_ns <= left_ns else None
