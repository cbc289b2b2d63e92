import math
from collections.abc import Callable

import numpy as np
import pytest

from modeldyno.records.objective import parse_objectives
from modeldyno.records.requests import Outcome
from modeldyno.records.workload import Workload
from modeldyno.stats.summary import count_failures, rate_of, response_times, summarise

Make = Callable[..., np.ndarray]


def test_response_time_starts_at_the_plan_and_service_time_at_the_send(make_run: Make, workload: Workload) -> None:
    rows = make_run()
    rows["sent_ns"] = rows["planned_ns"] + 5_000_000
    rows["done_ns"] = rows["sent_ns"] + 1_000_000
    summary = summarise(rows, workload, ())
    assert summary.response_time.p50_ns is not None
    assert summary.service_time.p50_ns is not None
    assert summary.lateness.p50_ns is not None
    assert summary.response_time.p50_ns.value == 6_000_000
    assert summary.service_time.p50_ns.value == 1_000_000
    assert summary.lateness.p50_ns.value == 5_000_000


def test_warm_up_is_left_out(make_run: Make, workload: Workload) -> None:
    rows = make_run(600)
    rows["measured"][:100] = False
    rows["done_ns"][:100] += 10**10
    summary = summarise(rows, workload, ())
    assert summary.requests == 500
    assert summary.duration_ns < 5 * 10**9


def test_the_order_of_the_rows_does_not_matter(make_run: Make, workload: Workload) -> None:
    rows = make_run()
    shuffled = np.random.default_rng(1).permutation(rows)
    assert summarise(rows, workload, ()) == summarise(shuffled, workload, ())


def test_every_failure_is_unbounded_and_counted_by_kind_but_an_interrupted_request_is_neither(make_run: Make) -> None:
    rows = make_run(100)
    rows["outcome"][:6] = [Outcome.TIMEOUT, Outcome.REFUSED, Outcome.DISCONNECTED, Outcome.MALFORMED, Outcome.NOT_SENT,
                           Outcome.INTERRUPTED]  # fmt: skip
    rows["outcome"][6:9] = Outcome.HTTP_ERROR
    rows["status"][6:9] = [503, 503, 404]
    assert np.isinf(response_times(rows)).sum() == 8
    assert len(response_times(rows)) == 99
    assert count_failures(rows) == {
        "timeout": 1, "refused": 1, "disconnected": 1, "malformed": 1, "not_sent": 1, "http_503": 2, "http_404": 1,
    }  # fmt: skip


def test_failed_calls_are_counted_by_the_name_of_their_code(make_run: Make) -> None:
    rows = make_run(100)
    rows["outcome"][:4] = Outcome.GRPC_ERROR
    rows["status"][:4] = [14, 14, 5, 99]

    assert {"grpc_unavailable": 2, "grpc_not_found": 1, "grpc_code_99": 1} == count_failures(rows)


def test_rates_are_counted_between_the_first_and_the_last_send(workload: Workload, make_run: Make) -> None:
    assert rate_of(np.arange(11) * 10**8) == pytest.approx(10)
    assert rate_of(np.array([5])) == 0
    rows = make_run()
    rows["sent_ns"] = rows["planned_ns"] = np.arange(2000) * 4_000_000
    rows["done_ns"] = rows["sent_ns"] + 1000
    rows["rows"] = 8
    summary = summarise(rows, workload, ())
    assert summary.rate_asked_per_s == 500
    assert summary.rate_delivered_per_s == pytest.approx(250)
    assert summary.items_per_s == pytest.approx(8 * summary.answered_per_s)


def test_goodput_counts_requests_that_met_every_latency_limit(make_run: Make, workload: Workload) -> None:
    rows = make_run(1000)
    rows["done_ns"] = rows["planned_ns"] + np.where(np.arange(1000) < 700, 10_000_000, 30_000_000)
    rows["outcome"][:100] = Outcome.TIMEOUT
    assert summarise(rows, workload, parse_objectives("error_rate<1%")).goodput_per_s is None
    summary = summarise(rows, workload, parse_objectives("p99<20ms, p50<1s"))
    assert summary.goodput_per_s == pytest.approx(600 / (summary.duration_ns / 1e9))
    at_the_limit = summarise(rows, workload, parse_objectives("p99<10ms"))
    assert at_the_limit.goodput_per_s == 0


def test_the_parts_of_the_response_time_add_up(make_run: Make, workload: Workload) -> None:
    rows = make_run()
    for name, value in (("queue", 40_000), ("preprocess", 20_000), ("inference", 50_000), ("postprocess", 10_000)):
        rows[f"server_{name}_ns"] = value
    rows["server_total_ns"] = 130_000
    split = summarise(rows, workload, ()).split
    assert split is not None
    parts = (split.client_wait_ns, split.transmission_ns, split.server_queue_ns, split.preprocessing_ns,
             split.inference_ns, split.postprocessing_ns, split.unaccounted_ns)  # fmt: skip
    assert split.response_ns == pytest.approx(math.fsum(part for part in parts if part is not None))
    assert split.unaccounted_ns == pytest.approx(10_000)
    assert split.transmission_ns == pytest.approx(np.mean(rows["done_ns"] - rows["sent_ns"]) - 130_000)


def test_a_silent_server_leaves_all_but_the_client_wait_unaccounted(make_run: Make, workload: Workload) -> None:
    split = summarise(make_run(), workload, ()).split
    assert split is not None
    assert split.transmission_ns is None
    assert split.inference_ns is None
    assert split.response_ns == pytest.approx(split.client_wait_ns + split.unaccounted_ns)


def test_a_run_in_which_nothing_was_answered_or_sent_is_summarised_too(make_run: Make, workload: Workload) -> None:
    rows = make_run(100)
    rows["outcome"] = Outcome.NOT_SENT
    rows["sent_ns"] = rows["done_ns"] = -1
    summary = summarise(rows, workload, ())
    assert summary.answered == 0
    assert summary.failures == {"not_sent": 100}
    assert summary.split is None
    assert summary.rate_delivered_per_s == 0
    assert summarise(rows[:0], workload, ()).requests == 0
