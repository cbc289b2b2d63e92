"""`modeldyno.policies.placement`."""

import pytest

from modeldyno.policies.placement import INLINE_LIMIT_NS, ComputeTime, is_inline, stall_limit_ns


@pytest.mark.parametrize(
    ("expected_ns", "instances", "inline"),
    ((7_000, 1, True), (7_000, 2, False), (None, 1, False), (INLINE_LIMIT_NS + 1, 1, False)),
)
def test_only_what_is_known_to_be_short_runs_on_the_loop(
    expected_ns: float | None, instances: int, *, inline: bool
) -> None:
    assert inline == is_inline(expected_ns, instances=instances)


def test_sizes_are_known_apart() -> None:
    times = ComputeTime()
    times.observe(64, 7_000)
    assert times.expected_ns(65) == 7_000
    assert times.expected_ns(64_000) is None


def test_a_slow_first_call_is_forgotten() -> None:
    times = ComputeTime()
    times.observe(64, 20_000_000)
    for _ in range(30):
        times.observe(64, 7_000)
    assert is_inline(times.expected_ns(64), instances=1)


def test_one_batch_during_which_the_machine_stood_still_changes_nothing_and_the_third_slow_one_does() -> None:
    times = ComputeTime()
    for _ in range(10):
        times.observe(64, 30_000)
    found = []
    for _ in range(4):
        times.observe(64, 50_000_000)
        found.append(is_inline(times.expected_ns(64), instances=1))
    assert [True, True, False, False] == found


@pytest.mark.parametrize(("expected_ns", "limit_ns"), ((None, 60), (5.0, 60), (7.0, 70)))
def test_an_instance_is_given_up_after_ten_times_what_is_expected_and_not_before_the_limit(
    expected_ns: float | None, limit_ns: int
) -> None:
    assert limit_ns == stall_limit_ns(expected_ns, limit_ns=60)


def test_the_best_rate_is_that_of_the_size_that_computes_fastest() -> None:
    times = ComputeTime()
    assert times.best_elements_per_s() is None
    times.observe(64, 64_000)
    times.observe(1024, 128_000)
    assert times.best_elements_per_s() == 1024 * 1e9 / 128_000
