"""The search against scripted services of known capacity, on a clock that only moves when a run is made."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from modeldyno.bench.capacity import Plan, Rules, SearchEnd, next_plan, search_capacity
from modeldyno.records.capacity import CapacitySettings, Probe, ProbeAnswer, ProbeVerdict
from modeldyno.records.run import LatencySummary
from modeldyno.stats.capacity import bracket_of
from modeldyno.testing.clock import ManualClock

S = 1_000_000_000
NOTHING = LatencySummary(mean_ns=None, p50_ns=None, p90_ns=None, p95_ns=None, p99_ns=None, p999_ns=None, max_ns=None)


def probe(plan: Plan, answer: ProbeAnswer, *, leans: bool = True) -> Probe:
    earlier = plan.earlier if plan.earlier is not None and plan.earlier.verdict.answer != "client_limited" else None
    disturbed = (plan.earlier.disturbed if plan.earlier is not None else 0) + (answer == "client_limited")
    return Probe(
        rate_per_s=plan.rate_per_s,
        purpose=plan.purpose,
        verdict=ProbeVerdict(answer=answer, reason=answer, leans_to_pass=leans, objectives=()),
        runs=(*(earlier.runs if earlier else ()), "run"),
        disturbed=disturbed,
        duration_ns=plan.duration_ns + (earlier.duration_ns if earlier else 0),
        requests=100,
        answered=100,
        rate_delivered_per_s=plan.rate_per_s,
        client_cpu_fraction=0.1,
        response_time=NOTHING,
        measured_at="",
    )


class Service:
    """An M/M/1 queue with a limit on p99, whose p99 is seen with noise that shrinks as the measured time grows.

    p99 of the response time is ln(100) / (served - rate). The error of its logarithm is normal; its size stands for
    requests that tell the less the longer the queue remembers, 1 / (1 - sqrt(load))².
    """

    def __init__(self, clock: ManualClock, *, served_per_s: float, limit_s: float, seed: int) -> None:
        self.clock, self.served_per_s, self.limit_s = clock, served_per_s, limit_s
        self.generator = np.random.default_rng(seed)
        self.errors: dict[tuple[float, str], list[tuple[int, float]]] = {}

    @property
    def capacity_per_s(self) -> float:
        return self.served_per_s - math.log(100) / self.limit_s

    def __call__(self, plan: Plan) -> Probe:
        self.clock.advance_ns(plan.duration_ns + 2 * S)
        if plan.rate_per_s >= self.served_per_s:
            return probe(plan, "fail", leans=False)
        load = plan.rate_per_s / self.served_per_s
        correlated = 2 * load / (1 - math.sqrt(load)) ** 2 / 10 + 1
        deviation = math.sqrt(2 * correlated / (plan.rate_per_s * plan.duration_ns / S * 0.01)) * 0.2
        seen = self.errors.setdefault((plan.rate_per_s, plan.purpose), [])
        if plan.earlier is None:
            seen.clear()
        seen.append((plan.duration_ns, self.generator.normal(0, deviation)))
        total = sum(duration for duration, _ in seen)
        error = sum(duration * one for duration, one in seen) / total
        deviation *= math.sqrt(plan.duration_ns / total)
        p99_s = math.log(100) / (self.served_per_s - plan.rate_per_s) * math.exp(error)
        if p99_s * math.exp(1.96 * deviation) < self.limit_s:
            return probe(plan, "pass")
        if p99_s * math.exp(-1.96 * deviation) >= self.limit_s:
            return probe(plan, "fail", leans=False)
        return probe(plan, "undecided", leans=p99_s < self.limit_s)


def rules(**changes: object) -> Rules:
    return Rules(CapacitySettings(**changes), requests_needed=520, overhead_ns=2 * S)  # type: ignore[arg-type]


def searched(
    measure: Callable[[Plan], Probe], clock: ManualClock, wanted: Rules | None = None, *, budget_s: int = 3600
) -> SearchEnd:
    return search_capacity(measure, wanted or rules(), clock=clock, deadline_ns=clock.now_ns() + budget_s * S)


def sharp(clock: ManualClock, capacity: float, *, plans: list[Plan] | None = None) -> Callable[[Plan], Probe]:
    """A service without noise."""

    def measure(plan: Plan) -> Probe:
        if plans is not None:
            plans.append(plan)
        clock.advance_ns(plan.duration_ns + 2 * S)
        return probe(plan, "pass" if plan.rate_per_s <= capacity else "fail")

    return measure


def test_the_capacity_is_found_within_the_precision_and_never_claimed_too_high() -> None:
    found, trials = 0, 200
    for seed in range(trials):
        clock = ManualClock()
        service = Service(clock, served_per_s=1000 + 37 * seed, limit_s=0.02, seed=seed)
        end = searched(service, clock, rules(longest_probe_ns=1000 * S), budget_s=100_000)
        bracket = bracket_of(end.probes)
        assert bracket.passed is not None
        assert bracket.is_confirmed
        assert bracket.passed.rate_per_s <= 1.05 * service.capacity_per_s
        found += bracket.passed.rate_per_s >= service.capacity_per_s / 1.051
    assert found >= 0.95 * trials


def test_short_probes_leave_an_undecided_zone_that_holds_the_capacity() -> None:
    held, trials = 0, 100
    for seed in range(trials):
        clock = ManualClock()
        service = Service(clock, served_per_s=1000, limit_s=0.02, seed=seed)
        end = searched(service, clock, rules(longest_probe_ns=12 * S), budget_s=100_000)
        bracket = bracket_of(end.probes)
        assert bracket.passed is not None
        assert bracket.failed is not None
        held += bracket.passed.rate_per_s <= service.capacity_per_s <= bracket.failed.rate_per_s
    assert held >= 0.95 * trials


def test_the_found_rate_was_confirmed_by_a_longer_run() -> None:
    clock, plans = ManualClock(), list[Plan]()
    end = searched(sharp(clock, 730, plans=plans), clock)
    last = plans[-1]
    passed = bracket_of(end.probes).passed
    assert passed is not None
    assert ("confirm", passed.rate_per_s) == (last.purpose, last.rate_per_s)
    assert all(last.duration_ns > plan.duration_ns for plan in plans[:-1] if plan.rate_per_s == last.rate_per_s)


def test_a_rate_that_passed_by_luck_is_not_claimed() -> None:
    clock = ManualClock()
    lucky = [True]

    def measure(plan: Plan) -> Probe:
        if plan.rate_per_s > 600 and plan.purpose != "confirm" and lucky:
            return probe(plan, "pass" if plan.rate_per_s < 1000 else "fail")
        return sharp(clock, 600)(plan)

    end = searched(measure, clock)
    passed = bracket_of(end.probes).passed
    assert passed is not None
    assert passed.rate_per_s <= 600


def test_an_undecided_rate_on_the_way_up_is_left_and_decided_later() -> None:
    clock, plans = ManualClock(), list[Plan]()

    def measure(plan: Plan) -> Probe:
        plans.append(plan)
        clock.advance_ns(plan.duration_ns)
        if plan.rate_per_s > 150:
            return probe(plan, "fail")
        total = plan.duration_ns + (plan.earlier.duration_ns if plan.earlier else 0)
        return probe(plan, "pass" if total >= 10 * S else "undecided")

    end = searched(measure, clock)
    assert [50.0, 100.0, 200.0, 100.0] == [plan.rate_per_s for plan in plans[:4]]
    assert plans[3].earlier is not None
    assert bracket_of(end.probes).is_confirmed


def test_an_undecided_rate_is_prolonged_until_the_longest_probe() -> None:
    clock, plans = ManualClock(), list[Plan]()

    def measure(plan: Plan) -> Probe:
        plans.append(plan)
        return probe(plan, "undecided", leans=False) if plan.rate_per_s < 80 else probe(plan, "fail")

    searched(measure, clock, rules(probe_ns=2 * S, longest_probe_ns=15 * S))
    assert 15 * S == sum(plan.duration_ns for plan in plans if plan.rate_per_s == 50)


def test_a_client_that_was_the_limit_once_gets_a_second_look_with_a_fresh_run() -> None:
    clock, plans = ManualClock(), list[Plan]()

    def measure(plan: Plan) -> Probe:
        plans.append(plan)
        first_at_200 = plan.rate_per_s == 200 and plan.earlier is None
        return probe(plan, "client_limited") if first_at_200 else sharp(clock, 730)(plan)

    bracket = bracket_of(searched(measure, clock).probes)
    assert bracket.passed is not None
    assert 730 / 1.06 < bracket.passed.rate_per_s <= 730


def test_a_client_that_stays_the_limit_bounds_the_answer() -> None:
    clock = ManualClock()

    def measure(plan: Plan) -> Probe:
        return probe(plan, "client_limited" if plan.rate_per_s > 300 else "pass")

    bracket = bracket_of(searched(measure, clock).probes)
    assert bracket.failed is not None
    assert "client_limited" == bracket.failed.verdict.answer
    assert bracket.passed is not None
    assert bracket.passed.rate_per_s <= 300


def test_the_ceiling_is_tried_and_not_passed() -> None:
    clock, plans = ManualClock(), list[Plan]()
    end = searched(sharp(clock, 1e9, plans=plans), clock, rules(up_to_per_s=170))
    assert 170 == max(plan.rate_per_s for plan in plans)
    passed = bracket_of(end.probes).passed
    assert passed is not None
    assert 170 == passed.rate_per_s
    assert "confirm" == passed.purpose


def test_when_even_the_lowest_rate_fails_nothing_more_is_measured() -> None:
    clock, plans = ManualClock(), list[Plan]()
    end = searched(sharp(clock, 10, plans=plans), clock)
    assert 1 == len(plans)
    assert "settled" == end.why


@pytest.mark.parametrize("budget_s", (5, 20, 35, 50, 80))
def test_the_budget_is_kept_and_the_end_of_it_goes_to_the_confirmation(budget_s: int) -> None:
    clock = ManualClock()
    end = searched(sharp(clock, 730), clock, budget_s=budget_s)
    assert clock.now_ns() <= max(budget_s, 5) * S
    if budget_s >= 50:
        assert bracket_of(end.probes).is_confirmed


def test_a_stopped_search_keeps_its_probes_and_goes_on_from_them() -> None:
    clock, plans = ManualClock(), list[Plan]()
    whole = searched(sharp(clock, 730, plans=plans), clock)
    steady = sharp(clock, 730)
    left = [4]

    def stopped(plan: Plan) -> Probe:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return steady(plan)

    first = searched(stopped, clock)
    assert "interrupted" == first.why
    assert 4 == len(first.probes)
    second = search_capacity(steady, rules(), earlier=first.probes, clock=clock, deadline_ns=clock.now_ns() + 3600 * S)
    assert [one.rate_per_s for one in whole.probes] == [one.rate_per_s for one in second.probes]


def test_nothing_is_planned_once_the_answer_is_confirmed() -> None:
    clock = ManualClock()
    end = searched(sharp(clock, 730), clock)
    assert next_plan(end.probes, rules()) is None
