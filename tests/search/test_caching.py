import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from modeldyno.records.base import Estimate
from modeldyno.records.deployment import Cache
from modeldyno.records.objective import parse_objectives
from modeldyno.records.search import Finalist, Search
from modeldyno.records.verdict import Answer
from modeldyno.records.workload import Repeats
from modeldyno.search.caching import (
    ENOUGH_HITS,
    HORIZON,
    cache_for,
    cache_reason,
    hits_in,
    is_worth_it,
    with_cache,
    without_cache,
)
from modeldyno.search.choose import Wishes
from modeldyno.traffic.repeats import asked_questions
from tests.search.samples import finalist, point, search

CACHE = Cache(max_bytes=4_000_000)
POINT = point("onnx-fp32", 50_000, batch=32)
PLAIN = finalist(POINT, "pass", cpu_ns=100_000)
WISHES = Wishes((), 500, {})


def cached(*answers: Answer, cpu_ns: float | None, hits: int | None = 300) -> Finalist:
    made = finalist(POINT, *answers, cpu_ns=cpu_ns)
    requested = replace(made.proof.requested, repeats=Repeats(share=0.3))
    proof = replace(made.proof, requested=requested, repeated_fraction=0.31, cache_hits=hits, cache_misses=700)
    return replace(made, deployment=with_cache(made.deployment, CACHE), proof=proof)


def with_latency(one: Finalist, low: float, high: float) -> Finalist:
    p99 = Estimate(value=(low + high) / 2, low=low, high=high)
    times = replace(one.proof.summary.response_time, p99_ns=p99)
    return replace(one, proof=replace(one.proof, summary=replace(one.proof.summary, response_time=times)))


def test_a_cache_that_saves_a_fifth_of_the_cpu_is_worth_it() -> None:
    assert is_worth_it(PLAIN, cached("pass", cpu_ns=80_000), WISHES)


def test_a_cache_that_saves_little_or_nothing_is_not() -> None:
    assert not is_worth_it(PLAIN, cached("pass", cpu_ns=95_000), WISHES)
    assert not is_worth_it(PLAIN, cached("pass", cpu_ns=None), WISHES)


def test_what_a_cache_that_answered_nothing_seems_to_save_is_noise() -> None:
    assert not is_worth_it(PLAIN, cached("pass", cpu_ns=50_000, hits=0), WISHES)
    assert not is_worth_it(PLAIN, cached("pass", cpu_ns=50_000, hits=None), WISHES)


def test_a_cache_under_a_load_that_repeats_more_than_was_asked_is_flattered() -> None:
    one = cached("pass", cpu_ns=50_000)
    one = replace(one, proof=replace(one.proof, repeated_fraction=0.8))
    assert not is_worth_it(PLAIN, one, WISHES)
    assert "cannot be judged" in cache_reason(decided(PLAIN, one, winner=PLAIN))


def test_a_cache_may_fail_no_objective_that_is_kept_without_it() -> None:
    assert not is_worth_it(PLAIN, cached("fail", cpu_ns=50_000), WISHES)


def test_an_objective_that_is_only_kept_with_the_cache_decides() -> None:
    failing = finalist(POINT, "fail", cpu_ns=100_000)
    assert is_worth_it(failing, cached("pass", cpu_ns=120_000), WISHES)


def test_the_least_latency_wins_only_when_the_intervals_are_apart() -> None:
    wishes = Wishes(parse_objectives("p99"), 500, {})
    plain, faster = with_latency(PLAIN, 900, 1100), with_latency(cached("pass", cpu_ns=99_000), 500, 800)
    overlapping = with_latency(cached("pass", cpu_ns=99_000), 500, 950)

    assert is_worth_it(plain, faster, wishes)
    assert not is_worth_it(plain, overlapping, wishes)
    assert not is_worth_it(plain, faster, WISHES)


def test_where_the_least_memory_is_asked_for_a_cache_does_not_win_with_cpu() -> None:
    assert not is_worth_it(PLAIN, cached("pass", cpu_ns=50_000), Wishes(parse_objectives("memory"), 500, {}))


@settings(max_examples=5, deadline=None)
@given(share=st.floats(0.05, 0.9), entry_bytes=st.integers(500, 20_000))
def test_the_smallest_size_is_chosen_that_finds_nearly_all(share: float, entry_bytes: int) -> None:
    repeats = Repeats(share=share)
    cache = cache_for(repeats, entry_bytes, seed=1)
    assert cache is not None
    questions = asked_questions(repeats, requests=HORIZON, seed=1)
    wanted = ENOUGH_HITS * (HORIZON - len(np.unique(questions)))

    assert hits_in(questions, entry_bytes, cache.max_bytes) >= wanted
    assert cache.max_bytes == 1_000_000 or hits_in(questions, entry_bytes, cache.max_bytes // 2) < wanted


def test_no_cache_is_tried_where_hardly_anything_repeats_or_nothing_would_fit() -> None:
    assert cache_for(Repeats(share=0.009), 1000, seed=1) is None
    assert cache_for(Repeats(share=0.5), 200_000_000, seed=1) is None


def decided(*finalists: Finalist, winner: Finalist, **changes: object) -> Search:
    fields = {"repeats": Repeats(share=0.3), "repeats_from": "asked", "cache": CACHE}
    return search(finalists=finalists, winner=winner.deployment, **{**fields, **changes})


def test_the_reason_says_hit_rate_and_gain_of_a_cache_that_won() -> None:
    one = cached("pass", cpu_ns=80_000)
    expected = (
        "30.0 % of the requests ask again what was asked before (as asked): a cache of 4.00 MB answers 30.0 % of the "
        "requests, 80.0 µs of server CPU a request instead of 100 µs, 20 % less"
    )
    assert expected == cache_reason(decided(PLAIN, one, winner=one))


def test_the_reason_says_why_a_cache_did_not_win_and_that_rows_were_asked_anew() -> None:
    one = cached("pass", cpu_ns=97_000)
    one = replace(one, proof=replace(one.proof, marked_after=599))
    reason = cache_reason(decided(PLAIN, one, winner=PLAIN, repeats_from="data"))

    assert "(as the rows of the data do): a cache of 4.00 MB would answer 30.0 % of the requests" in reason
    assert "3 % less; that is not worth it (the data have only 599 different rows" in reason


@pytest.mark.parametrize(
    ("changes", "words"),
    (
        ({"repeats": None, "repeats_from": "nothing", "cache": None}, "made-up rows do not show what repeats"),
        ({"repeats": None, "repeats_from": "data", "cache": None}, "next to no row of the data is equal to another"),
        ({"repeats": Repeats(share=0.0), "cache": None}, "next to no request repeats another, as asked"),
        ({"cache": None}, "too large for one of 1 GB"),
        ({}, "a cache of 4.00 MB was not tried: the budget was spent"),
    ),
)
def test_a_cache_that_was_not_tried_has_its_reason(changes: dict[str, object], words: str) -> None:
    assert words in cache_reason(decided(PLAIN, winner=PLAIN, **changes))


def test_only_the_cache_differs_between_the_two() -> None:
    both = with_cache(POINT.deployment, CACHE)
    assert POINT.deployment == without_cache(both)
    assert both.label == f"{POINT.deployment.label}, cache 4.00 MB"
