"""What a server counted for a model in the measured phase, from looks at its cumulative statistics."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from modeldyno.records.model_statistics import Executions, ModelActivity, ModelStatistics

_TIMED = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")


class StatisticsLook(NamedTuple):
    """The statistics of every version of a model at one moment."""

    moment_ns: int
    """Since the run's planned start."""
    versions: tuple[ModelStatistics, ...]


def summarise_activity(looks: Sequence[StatisticsLook], window: tuple[int, int] | None) -> ModelActivity | None:
    """The growth from the first look within the measured phase to the last look; versions are added up.

    Counting begins inside the phase, so that no request of the warm-up is in it, and some of the phase's first are
    not. Where there was no look in its first half, the last one before it is taken, and the record says so.

    Returns:
        None without two looks, or when the counts went back: the server was started again in between.
    """
    if window is None or len(looks) < 2:
        return None
    first, last = _first_look(looks[:-1], window), looks[-1]
    growth = _growth(first.versions, last.versions)
    return None if growth is None else _activity(growth, first, last, has_warmup=first.moment_ns < window[0])


def _first_look(looks: Sequence[StatisticsLook], window: tuple[int, int]) -> StatisticsLook:
    middle_ns = (window[0] + window[1]) // 2
    early = [one for one in looks if window[0] <= one.moment_ns <= middle_ns]
    return early[0] if early else ([one for one in looks if one.moment_ns < window[0]] or looks)[-1]


def _growth(first: Sequence[ModelStatistics], last: Sequence[ModelStatistics]) -> Counter[str] | None:
    """Every count by name, with the executions of a size as `rows=N`; None when one went back."""
    before, after = _counts(first), _counts(last)
    if any(after[name] < count for name, count in before.items()):
        return None
    return Counter({name: count - before[name] for name, count in after.items()})


def _counts(versions: Sequence[ModelStatistics]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in versions:
        counts["rows"] += one.inference_count
        counts["executions"] += one.execution_count
        for name in _TIMED:
            counted = getattr(one, name)
            counts[name] += counted.count
            counts[f"{name} ns"] += counted.ns
        for batch in one.batches:
            counts[f"rows={batch.rows}"] += batch.compute_infer.count
    return counts


def _activity(growth: Counter[str], first: StatisticsLook, last: StatisticsLook, *, has_warmup: bool) -> ModelActivity:
    answered, executions = growth["success"], growth["executions"]

    def mean_ns(name: str) -> float | None:
        # Over all answered requests, also those that a cache answered: the parts have to add up.
        return growth[f"{name} ns"] / answered if answered else None

    sizes = sorted((int(name[5:]), count) for name, count in growth.items() if name.startswith("rows=") and count)
    return ModelActivity(
        from_ns=first.moment_ns,
        to_ns=last.moment_ns,
        has_warmup=has_warmup,
        answered=answered,
        failed=growth["fail"],
        rows=growth["rows"],
        executions=executions,
        rows_per_execution=growth["rows"] / executions if executions else None,
        total_ns=mean_ns("success"),
        queue_ns=mean_ns("queue"),
        compute_input_ns=mean_ns("compute_input"),
        compute_infer_ns=mean_ns("compute_infer"),
        compute_output_ns=mean_ns("compute_output"),
        cache_hits=growth["cache_hit"],
        cache_misses=growth["cache_miss"],
        batches=tuple(Executions(rows=rows, executions=count) for rows, count in sizes),
    )
