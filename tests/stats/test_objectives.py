from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from modeldyno.records.objective import parse_objectives
from modeldyno.records.requests import Outcome
from modeldyno.records.verdict import ObjectiveVerdict
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.judge import judge_run
from modeldyno.stats.summary import summarise

Make = Callable[..., np.ndarray]
Answer = Callable[..., ObjectiveVerdict]


@pytest.fixture
def answer(workload: Workload, effective: EffectiveWorkload) -> Answer:
    def judge(text: str, rows: np.ndarray, **changes: object) -> ObjectiveVerdict:
        objectives = parse_objectives(text)
        changed = msgspec.structs.replace(effective, **changes)
        summary = summarise(rows, workload, objectives)
        (verdict,) = judge_run(summary, rows, workload, changed, objectives, interrupted=False).objectives
        return verdict

    return judge


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("p99<20ms", "pass"),
        ("p99<3ms", "fail"),
        ("p50<2ms", "pass"),
        ("p50<0.5ms", "fail"),
        ("mean<2ms", "pass"),
        ("mean<1ms", "fail"),
        ("max<50ms", "pass"),
        ("max<2ms", "fail"),
        ("p99.9<50ms", "cannot_tell"),
    ),
)
def test_latency_limits_far_from_the_truth_are_decided(
    text: str, expected: str, make_run: Make, answer: Answer
) -> None:
    found = answer(text, make_run())
    assert found.verdict == expected, found.evidence
    assert found.objective == text


def test_a_limit_at_the_percentile_cannot_be_told_and_says_how_many_more_requests_would(
    make_run: Make, answer: Answer
) -> None:
    found = answer("p99<5ms", make_run())  # the true p99 is 0.2 + 4.6 ms and the sender's 0.03
    assert found.verdict == "cannot_tell"
    assert "more requests would decide" in found.evidence
    assert found.measured is not None


def test_more_requests_decide_what_few_could_not(make_run: Make, answer: Answer) -> None:
    assert answer("p99<5.2ms", make_run(1000, seed=3)).verdict == "cannot_tell"
    assert answer("p99<5.2ms", make_run(40_000, seed=3)).verdict == "pass"


def test_failures_beyond_the_percentile_fail_it(make_run: Make, answer: Answer) -> None:
    rows = make_run()
    rows["outcome"][::20] = Outcome.TIMEOUT
    found = answer("p99<20ms", rows)
    assert found.verdict == "fail"
    assert "100 of 2,000 requests failed" in found.evidence
    assert answer("p50<20ms", rows).verdict == "pass"
    assert answer("mean<20ms", rows).verdict == "fail"
    assert answer("max<20s", rows).verdict == "fail"


def test_a_percentile_that_the_sample_cannot_support_is_not_passed(make_run: Make, answer: Answer) -> None:
    found = answer("p99<20ms", make_run(100))
    assert found.verdict == "cannot_tell"
    assert "more are needed" in found.evidence
    assert found.measured is None


def test_a_percentile_of_few_requests_can_still_fail(make_run: Make, answer: Answer) -> None:
    rows = make_run(100)
    rows["outcome"][::4] = Outcome.TIMEOUT
    found = answer("p99<20ms", rows)
    assert found.verdict == "fail"
    assert "25 of 100" in found.evidence


def test_the_error_rate_needs_enough_requests_to_pass(make_run: Make, answer: Answer) -> None:
    assert answer("error_rate<1%", make_run(2000)).verdict == "pass"
    undecided = answer("error_rate<0.1%", make_run(2000))
    assert undecided.verdict == "cannot_tell"
    assert "1,688 more requests without a failure" in undecided.evidence
    rows = make_run(2000)
    rows["outcome"][::20] = Outcome.MALFORMED
    assert answer("error_rate<1%", rows).verdict == "fail"
    rows = make_run(2000)
    rows["outcome"][[100, 500, 900, 1300, 1700]] = Outcome.TIMEOUT
    assert answer("error_rate<0.3%", rows).verdict == "cannot_tell"


def test_throughput_is_what_was_offered_and_kept_up_with(make_run: Make, answer: Answer) -> None:
    assert answer("throughput>=500/s", make_run()).verdict == "pass"
    beyond = answer("throughput>=800/s", make_run())
    assert beyond.verdict == "cannot_tell"
    assert "offer more" in beyond.evidence
    slow = make_run()
    slow["done_ns"] += slow["planned_ns"]  # answers come at half the rate
    assert answer("throughput>=400/s", slow).verdict == "fail"


def test_memory_that_cannot_be_read_cannot_be_told(make_run: Make, answer: Answer) -> None:
    assert answer("memory<100MB", make_run()).verdict == "pass"
    assert answer("memory<10MB", make_run()).verdict == "fail"
    assert answer("memory<100MB", make_run(), server_peak_memory_bytes=None).verdict == "cannot_tell"


def test_directions_and_objectives_that_a_run_does_not_measure_are_left_out(
    make_run: Make, workload: Workload, effective: EffectiveWorkload
) -> None:
    objectives = parse_objectives("throughput, accuracy>=97%, size<1MB")
    rows = make_run()
    verdict = judge_run(summarise(rows, workload, ()), rows, workload, effective, objectives, interrupted=False)
    assert verdict.objectives == ()


@pytest.mark.parametrize("text", ("p99<20ms", "mean<1ms", "max<1ms", "error_rate<1%"))
def test_a_run_without_requests_passes_nothing(text: str, make_run: Make, answer: Answer) -> None:
    assert answer(text, make_run(0)).verdict == "cannot_tell"


def test_a_pass_is_wrong_in_few_runs(make_run: Make, answer: Answer) -> None:
    # The limit is the true median of service time: neither pass nor fail is right, so both must be rare.
    verdicts = [answer("p50<0.893ms", make_run(600, seed=seed, late_ns=1)).verdict for seed in range(150)]
    assert verdicts.count("pass") <= 9
    assert verdicts.count("fail") <= 9
