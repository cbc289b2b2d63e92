import pytest

from modeldyno.records.model_statistics import BatchCount, CountedTime, Executions, ModelActivity, ModelStatistics
from modeldyno.stats.activity import StatisticsLook, summarise_activity

S = 1_000_000_000
WINDOW = (2 * S, 12 * S)


def counted(requests: int, *, version: str = "1", hits: int = 0) -> ModelStatistics:
    """After so many requests of 3 rows, two to a batch, each 1 ms: 400 µs queue, 100 in, 450 infer, 50 out."""
    computed = requests - hits

    def spent(each_ns: int, count: int = computed) -> CountedTime:
        return CountedTime(count=count, ns=count * each_ns)

    return ModelStatistics(
        name="m",
        version=version,
        inference_count=3 * computed,
        execution_count=computed // 2,
        success=spent(1_000_000, requests),
        fail=CountedTime(count=requests // 100, ns=0),
        queue=spent(400_000, requests),
        compute_input=spent(100_000),
        compute_infer=spent(450_000),
        compute_output=spent(50_000),
        cache_hit=CountedTime(count=hits, ns=hits * 1_000),
        cache_miss=CountedTime(count=computed if hits else 0, ns=0),
        batches=(BatchCount(rows=6, compute_infer=spent(450_000, computed // 2)),),
    )


def look(at_s: float, *versions: ModelStatistics) -> StatisticsLook:
    return StatisticsLook(round(at_s * S), versions)


def summarised(*looks: StatisticsLook) -> ModelActivity:
    found = summarise_activity(looks, WINDOW)
    assert found is not None
    return found


def test_the_mean_of_each_part_and_the_batch_formed_are_told() -> None:
    found = summarised(
        look(-1, counted(500)), look(2.4, counted(1_000)), look(7, counted(1_600)), look(13, counted(3_000))
    )
    assert (2_000, 20, 6_000, 1_000) == (found.answered, found.failed, found.rows, found.executions)
    assert pytest.approx(6.0) == found.rows_per_execution
    assert pytest.approx(1e6) == found.total_ns
    assert (400_000, 100_000, 450_000, 50_000) == (
        found.queue_ns,
        found.compute_input_ns,
        found.compute_infer_ns,
        found.compute_output_ns,
    )
    assert (Executions(rows=6, executions=1_000),) == found.batches
    assert (2.4 * S, 13 * S, False) == (found.from_ns, found.to_ns, found.has_warmup)


def test_a_phase_too_short_for_two_looks_counts_from_the_last_one_before_it_and_says_so() -> None:
    found = summarised(
        look(-1, counted(0)), look(1.5, counted(100)), look(11.9, counted(900)), look(13, counted(1_000))
    )
    assert (1.5 * S, True, 900) == (found.from_ns, found.has_warmup, found.answered)
    alone = summarised(look(11, counted(100)), look(13, counted(300)))
    assert (11 * S, False, 200) == (alone.from_ns, alone.has_warmup, alone.answered)


def test_versions_are_added_up_also_one_that_was_loaded_in_between() -> None:
    before, after = counted(1_000), (counted(1_500), counted(300, version="2"))
    assert 800 == summarised(look(2, before), look(13, *after)).answered


def test_answers_from_a_cache_spread_the_computing_over_all_requests() -> None:
    found = summarised(look(2, counted(0)), look(13, counted(1_000, hits=500)))
    assert (500, 500) == (found.cache_hits, found.cache_misses)
    assert pytest.approx(225_000) == found.compute_infer_ns
    assert pytest.approx(400_000) == found.queue_ns


def test_nothing_answered_has_counts_and_no_means() -> None:
    found = summarised(look(2, counted(700)), look(13, counted(700)))
    assert (0, None, None, None, ()) == (
        found.answered,
        found.total_ns,
        found.queue_ns,
        found.rows_per_execution,
        found.batches,
    )


def test_a_server_that_began_again_or_was_looked_at_once_tells_nothing() -> None:
    assert summarise_activity((look(2, counted(1_000)), look(13, counted(10))), WINDOW) is None
    assert summarise_activity((look(13, counted(10)),), WINDOW) is None
    assert summarise_activity((look(2, counted(1)), look(13, counted(10))), None) is None
