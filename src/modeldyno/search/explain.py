"""Why the winner won, and what would make the answer better: sentences from the measured points, nothing guessed."""

from collections.abc import Sequence

import numpy as np

from modeldyno.bench.standings import speed_ratio
from modeldyno.records.base import Estimate
from modeldyno.records.deployment import Deployment
from modeldyno.records.search import Search
from modeldyno.records.speed import SpeedPoint
from modeldyno.search.averages import averaging_reasons
from modeldyno.search.caching import cache_reason, has_cache
from modeldyno.search.losses import MOST_EXPLAINED, lost_points, why_not_faster
from modeldyno.units import format_duration, format_fraction, format_number, format_rate

WORTH_SAYING = 1.1
"""A factor below this is not given as a reason."""


def reasons_for(search: Search, winner: SpeedPoint) -> tuple[str, ...]:
    """One sentence for each choice that made a measured difference, or was expected to and did not."""
    sentences = (
        _runtime_reason(search.points, winner),
        _batching_reason(search.points, winner),
        _shape_reason(search, winner),
        *averaging_reasons(search.assessed, search.points),
        *_loss_reasons(search),
        _cost_reason(search, winner),
        cache_reason(search),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _find(points: Sequence[SpeedPoint], artifact: str, shape: tuple[int, int], batch: int) -> SpeedPoint | None:
    return next(
        (
            point
            for point in points
            if point.deployment.artifact == artifact
            and (point.deployment.session.threads, point.deployment.instances) == shape
            and point.batch_rows == batch
            and len(point.blocks) >= 2
        ),
        None,
    )


def _shape(point: SpeedPoint) -> tuple[int, int]:
    return (point.deployment.session.threads, point.deployment.instances)


def _runtime_reason(points: Sequence[SpeedPoint], winner: SpeedPoint) -> str | None:
    native = _find(points, "original", (1, 1), winner.batch_rows)
    if native is None or native.deployment.runtime == winner.deployment.runtime or _shape(winner) != (1, 1):
        return None
    ratio = speed_ratio(winner, native)
    rows = _rows(winner.batch_rows)
    if ratio.low is not None and ratio.low >= WORTH_SAYING:
        return (
            f"with {rows}, {winner.deployment.runtime} computes {_times(ratio)} as fast as {native.deployment.runtime}"
        )
    return f"with {rows} the runtime makes little difference: {_times(ratio)} {native.deployment.runtime}"


def _batching_reason(points: Sequence[SpeedPoint], winner: SpeedPoint) -> str | None:
    series = sorted(
        (
            (point.batch_rows, point.batch_time_ns.value)
            for point in points
            if point.deployment.artifact == winner.deployment.artifact
            and point.deployment.runtime == winner.deployment.runtime
            and _shape(point) == _shape(winner)
        ),
    )
    if len(series) < 3 or winner.batch_rows == 1:
        return None
    fixed_ns, row_ns = call_cost(series)
    if row_ns == 0:
        return None  # the line through the points has no slope: noise, nothing to explain
    share = fixed_ns / (fixed_ns + row_ns)
    single = _find(points, winner.deployment.artifact, _shape(winner), 1)
    gain = "" if single is None else f": {_times(speed_ratio(winner, single))} the items/s of single rows"
    part = "nearly all" if share > 0.995 else format_fraction(share, 0)
    return (
        f"batching spreads the fixed cost of a call ({format_duration(fixed_ns)}, {part} of a call with one row){gain}"
    )


def call_cost(series: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Fixed cost of a call and cost of a row, in ns: the non-negative least-squares line through (rows, time).

    Each point is weighted by 1/time, since the error of a measured time grows with the time.
    """
    from scipy.optimize import nnls

    rows = np.array([row for row, _ in series], dtype=float)
    times = np.array([time for _, time in series], dtype=float)
    solution, _ = nnls(np.column_stack([1 / times, rows / times]), np.ones(len(series)))
    return float(solution[0]), float(solution[1])


def _shape_reason(search: Search, winner: SpeedPoint) -> str | None:
    others = [
        point
        for point in search.points
        if point.deployment.artifact == winner.deployment.artifact
        and point.deployment.runtime == winner.deployment.runtime
        and point.batch_rows == winner.batch_rows
        and _shape(point) != _shape(winner)
        and len(point.blocks) >= 2
    ]
    if not others:
        return None
    best = max(others, key=lambda point: point.items_per_s.value)
    ratio = speed_ratio(winner, best)
    mine, theirs = (f"{threads} × {instances}" for threads, instances in (_shape(winner), _shape(best)))
    if ratio.low is not None and ratio.low > 1:
        return f"{mine} (threads × instances) gives {_times(ratio)} the items/s of {theirs}"
    if ratio.high is not None and ratio.high < 1:
        headroom = format_number(winner.items_per_s.value / search.rate_per_s, 2)
        return (
            f"{theirs} (threads × instances) computes {_times(speed_ratio(best, winner))} as fast, but {mine} can do "
            f"{headroom} times the asked rate already, and costs less a request"
        )
    return f"other cores make no difference that can be told: {mine} gives {_times(ratio)} the items/s of {theirs}"


def _loss_reasons(search: Search) -> list[str]:
    """Of each compressed artifact that is slower than what it was made from, by how much and why."""
    artifacts = {one.artifact.name: one.artifact for one in search.assessed}
    cut_open = {one.deployment.artifact: one for one in search.anatomies}
    sentences = []
    for mine, theirs in lost_points(search.assessed, search.points)[:MOST_EXPLAINED]:
        name, ratio = mine.deployment.artifact, speed_ratio(mine, theirs)
        why = why_not_faster(
            artifacts[name],
            ratio.value,
            parameters=search.model.parameters,
            cpu_flags=search.environment.cpu_flags,
            anatomy=cut_open.get(name),
        )
        parent = "the model as it came" if theirs.deployment.artifact == "original" else theirs.deployment.artifact
        with_rows = f"with {_rows(mine.batch_rows)}"
        sentences.append(
            f"{name} reaches {_times(ratio)} the items/s of {parent} {with_rows}{f': {why}' if why else ''}"
        )
    return sentences


def _cost_reason(search: Search, winner: SpeedPoint) -> str | None:
    """What a request costs the server, against the model as it came under the same load."""
    costs = {
        f.deployment: f.proof.server_cpu_ns_per_request
        for f in search.finalists
        if f.deployment == search.winner or not has_cache(f.deployment)
    }
    mine = costs.pop(search.winner or winner.deployment, None)
    if mine is None:
        return None
    others = [
        f"{format_duration(cost)} with {'the model as it came' if _is_reference(one) else one.label}"
        for one, cost in costs.items()
        if cost is not None
    ]
    against = f", {' and '.join(others)}" if others else ""
    return f"served at {format_rate(search.rate_per_s)} a request costs {format_duration(mine)} of server CPU{against}"


def _is_reference(deployment: Deployment) -> bool:
    is_one_lane = deployment.session.threads == deployment.instances == deployment.batching.max_rows == 1
    return deployment.artifact == "original" and is_one_lane and not has_cache(deployment)


def advice_for(search: Search, winner: SpeedPoint | None) -> tuple[str, ...]:
    """What the user could do to get a better or a surer answer."""
    advice = [
        f"{one.artifact.name}: about {verdict.rows_to_decide:,} rows would decide {verdict.objective}"
        for one in search.assessed
        for verdict in one.verdicts
        if verdict.verdict == "cannot_tell" and verdict.rows_to_decide is not None
    ]
    if search.data is None:
        advice.append("without --data the inputs were made up and nothing is known about quality: give labelled rows")
    elif not search.labelled:
        advice.append("the data have no labels, so quality was not measured: add a label column or array")
    if any(refusal.reason.startswith("not tried: the budget") for refusal in search.refused):
        advice.append("some deployments were not tried: a longer --budget would include them")
    deployment = search.winner or (winner.deployment if winner is not None else None)
    proof = next((f.proof for f in search.finalists if f.deployment == deployment), None)
    if proof is not None and any(one.verdict == "cannot_tell" for one in proof.verdict.objectives):
        advice.append(
            f"{proof.summary.requests:,} requests were too few for an objective: a longer --budget gives the final "
            "proof more, and so does a higher --rate"
        )
    if winner is not None and not search.finalists:
        advice.append("nothing was proven over HTTP: type the same command again to go on, or give a longer --budget")
    if winner is None and search.assessed:
        advice.append("no candidate meets the quality objectives, the original included: loosen them or retrain")
    return tuple(advice)


def _rows(count: int) -> str:
    return "single rows" if count == 1 else f"batches of {count}"


def _times(ratio: Estimate) -> str:
    if ratio.low is None or ratio.high is None:
        return f"{format_number(ratio.value)}×"
    return f"{format_number(ratio.value)}× [{format_number(ratio.low)}, {format_number(ratio.high)}]"
