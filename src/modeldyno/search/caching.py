"""Whether a cache of answers pays: of which size it is tried, and whether what was measured speaks for it."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.policies.caching import Shelf
from modeldyno.records.deployment import Cache, Deployment
from modeldyno.records.objective import LATENCY_METRICS, Objective
from modeldyno.records.search import Finalist, Search
from modeldyno.records.workload import Repeats
from modeldyno.search.choose import SAME_COST, Wishes, failures
from modeldyno.traffic.repeats import asked_questions
from modeldyno.units import format_duration, format_fraction, format_size

LEAST_SHARE = 0.01
"""Of the requests that repeat others: below, no cache can save what would show."""
HORIZON = 50_000
"""Requests that the size is chosen for."""
ENOUGH_HITS = 0.95
"""Of what an endless cache would find, the size is chosen to find."""
_OFF_BY = 0.05
"""A load repeats itself by chance so much more than its plan says, in a phase of a few hundred requests."""
_SMALLEST_BYTES = 10**6
_LARGEST_BYTES = 2**10 * _SMALLEST_BYTES


def cache_for(repeats: Repeats, entry_bytes: int, *, seed: int) -> Cache | None:
    """The smallest cache that finds nearly all that an endless one would, of 1, 2, 4, ... MB.

    The server's own policy is run over `HORIZON` requests. None: hardly anything repeats, or what is asked and
    answered is too large for any cache up to the largest.

    Args:
        repeats: how the traffic repeats itself.
        entry_bytes: what a question with its answer takes.
        seed: of the requests.
    """
    if repeats.share < LEAST_SHARE:
        return None
    questions = asked_questions(repeats, requests=HORIZON, seed=seed)
    wanted = ENOUGH_HITS * (HORIZON - len(np.unique(questions)))
    size, found = _SMALLEST_BYTES, hits_in(questions, entry_bytes, _SMALLEST_BYTES)
    while found < wanted and size < _LARGEST_BYTES:
        size *= 2
        found = hits_in(questions, entry_bytes, size)
    return Cache(max_bytes=size) if found else None


def hits_in(questions: NDArray[np.int64], entry_bytes: int, max_bytes: int) -> int:
    """How many of the requests a cache of that size answers, when one comes after another."""
    shelf: Shelf[int] = Shelf(max_bytes=max_bytes)
    hits = 0
    for question in questions.tolist():
        if shelf.use(question, 0):
            hits += 1
        else:
            shelf.keep(question, entry_bytes, 0)
    return hits


def without_cache(deployment: Deployment) -> Deployment:
    """The same deployment that computes every answer."""
    return msgspec.structs.replace(deployment, cache=Cache())


def with_cache(deployment: Deployment, cache: Cache) -> Deployment:
    """The same deployment that remembers answers."""
    return msgspec.structs.replace(deployment, cache=cache)


def has_cache(deployment: Deployment) -> bool:
    """Whether it remembers answers."""
    return deployment.cache.max_bytes > 0


def plain_twin(search: Search, deployment: Deployment) -> Finalist | None:
    """The finalist that is this deployment without a cache."""
    plain = without_cache(deployment)
    return next((one for one in search.finalists if one.deployment == plain), None)


def cached_twin(search: Search, deployment: Deployment) -> Finalist | None:
    """The finalist that is this deployment with the cache that is tried."""
    if search.cache is None:
        return None
    cached = with_cache(deployment, search.cache)
    return next((one for one in search.finalists if one.deployment == cached), None)


def not_started(search: Search) -> set[str]:
    """Labels of the deployments whose proof could not be made."""
    return {refusal.name for refusal in search.refused if refusal.stage == "proof"}


def is_worth_it(plain: Finalist, cached: Finalist, wishes: Wishes) -> bool:
    """Whether the cache wins by its proof.

    It must have answered something, under a load that repeats itself no more than was asked, and fail no objective
    that the deployment keeps without it. Then it wins with an
    objective that is only kept with it, with server CPU time saved (more than `SAME_COST`), or with a clearly lower
    latency where the least latency is what the user asked for. Where the least memory is, only with an objective.
    """
    if not cached.proof.cache_hits or _is_flattered(cached) or not _failed(cached) <= _failed(plain):
        return False
    if failures(cached) < failures(plain):
        return True
    direction = wishes.direction
    if direction is not None and direction.metric == "memory":
        return False
    return _saves_cpu(plain, cached) or _is_faster(plain, cached, direction)


def _is_flattered(cached: Finalist) -> bool:
    """Whether the load repeated itself more than the traffic does: there were too few requests of that size."""
    asked, repeated = cached.proof.requested.repeats, cached.proof.repeated_fraction
    return asked is None or repeated is None or repeated > asked.share + _OFF_BY


def _failed(finalist: Finalist) -> set[str]:
    return {one.objective for one in finalist.proof.verdict.objectives if one.verdict == "fail"}


def _saves_cpu(plain: Finalist, cached: Finalist) -> bool:
    without, cost = plain.proof.server_cpu_ns_per_request, cached.proof.server_cpu_ns_per_request
    return without is not None and cost is not None and cost < (1 - SAME_COST) * without


def _is_faster(plain: Finalist, cached: Finalist, direction: Objective | None) -> bool:
    if direction is None or direction.kind != "latency":
        return False
    field = f"{LATENCY_METRICS[direction.metric]}_ns"
    without, latency = (getattr(one.proof.summary.response_time, field) for one in (plain, cached))
    if without is None or latency is None or without.low is None or latency.high is None:
        return False
    return bool(latency.high < without.low)


def cache_reason(search: Search) -> str:
    """Why there is a cache or none, in one sentence."""
    if search.repeats is None or search.cache is None:
        return _untried(search)
    winner = search.winner
    plain = plain_twin(search, winner) if winner is not None else None
    cached = cached_twin(search, without_cache(winner)) if winner is not None else None
    size = format_size(search.cache.max_bytes)
    if cached is not None and _is_flattered(cached):
        why = "so many different requests take too much memory, and the same came again"
        return f"a cache of {size} cannot be judged: {why}"
    if winner is None or plain is None or cached is None:
        failed = winner is not None and with_cache(winner, search.cache).label in not_started(search)
        why = "its server did not start" if failed else "the budget was spent, a longer --budget includes it"
        return f"a cache of {size} was not tried: {why}"
    hits, misses = cached.proof.cache_hits or 0, cached.proof.cache_misses or 0
    found = f"{format_fraction(hits / (hits + misses))} of the requests" if hits + misses else "none of the requests"
    verb, end = ("answers", "") if has_cache(winner) else ("would answer", "; that is not worth it")
    return f"{_traffic(search)}: a cache of {size} {verb} {found}, {_costs(plain, cached)}{end}{_asked_anew(cached)}"


def _untried(search: Search) -> str:
    hint = "say how much of your traffic repeats itself with --repeats 30%"
    if search.repeats_from == "asked":
        if search.repeats is not None and search.repeats.share >= LEAST_SHARE:
            return "no cache was tried: a question with its answer is too large for one of 1 GB"
        return "no cache was tried: next to no request repeats another, as asked"
    if search.repeats_from == "nothing":
        return f"no cache was tried: made-up rows do not show what repeats; {hint}"
    return f"no cache was tried: next to no row of the data is equal to another; {hint}"


def _traffic(search: Search) -> str:
    share = format_fraction(search.repeats.share if search.repeats is not None else 0.0)
    source = "as asked" if search.repeats_from == "asked" else "as the rows of the data do"
    return f"{share} of the requests ask again what was asked before ({source})"


def _costs(plain: Finalist, cached: Finalist) -> str:
    without, cost = plain.proof.server_cpu_ns_per_request, cached.proof.server_cpu_ns_per_request
    if without is None or cost is None:
        return "and what a request costs could not be measured"
    told = f"{format_duration(cost)} of server CPU a request instead of {format_duration(without)}"
    if not 0 < cost < without:
        return told
    return f"{told}, {format_fraction(1 - cost / without, 0)} less"


def _asked_anew(cached: Finalist) -> str:
    rows = cached.proof.marked_after
    if rows is None:
        return ""
    return (
        f" (the data have only {rows:,} different rows: they were asked anew under another parameter of the request, "
        "which is another question to a cache)"
    )
