import numpy as np
import pytest
from msgspec.structs import replace

from modeldyno.records.objective import parse_objectives
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.probes import ProbeRun, joined_rows, judge_probe, requests_needed

MS = 1_000_000
SLO = parse_objectives("p90<20ms, error_rate<1%")


def run(
    served_per_s: float, *, rate: float = 500, count: int = 4000, seed: int = 3, cpu: float = 0.1, warmup: int = 50
) -> ProbeRun:
    """A single lane with exponential service times under Poisson arrivals; the client sends at once."""
    generator = np.random.default_rng(seed)
    total = count + warmup
    rows = empty_requests(total)
    planned = np.cumsum(generator.exponential(1e9 / rate, total))
    service = generator.exponential(1e9 / served_per_s, total)
    free = 0.0
    done = np.empty(total)
    for index in range(total):
        free = max(free, planned[index]) + service[index]
        done[index] = free
    rows["planned_ns"], rows["done_ns"] = planned.astype(np.int64), done.astype(np.int64)
    rows["sent_ns"] = rows["planned_ns"] + 20_000
    rows["done_ns"] = np.maximum(rows["done_ns"], rows["sent_ns"] + 1000)
    rows["first_byte_ns"] = rows["done_ns"]
    rows["outcome"], rows["status"], rows["rows"] = Outcome.OK, 200, 1
    rows["measured"] = np.arange(total) >= warmup
    workload = Workload(url="http://x", model="m", rate_per_s=rate, requests=count, warmup_requests=warmup, seed=seed)
    effective = EffectiveWorkload(
        connections=8, workers=1, client_cpu_fraction=cpu, server_cpu_ns=None, server_peak_memory_bytes=None
    )
    return ProbeRun(rows, workload, effective)


def test_a_service_with_room_passes() -> None:
    verdict = judge_probe([run(2000)], SLO)
    assert ("pass", True) == (verdict.answer, verdict.leans_to_pass)
    assert "20.0 ms" in verdict.reason


def test_a_service_that_is_too_slow_fails_although_it_keeps_up() -> None:
    verdict = judge_probe([run(560)], parse_objectives("p50<1ms"))
    assert ("fail", False) == (verdict.answer, verdict.leans_to_pass)
    assert "backlog" not in verdict.reason


def test_a_growing_backlog_is_a_failure_of_the_service() -> None:
    verdict = judge_probe([run(400)], parse_objectives("p90<1h"))
    assert "fail" == verdict.answer
    assert "backlog" in verdict.reason


@pytest.mark.parametrize("outcome", (Outcome.WRONG_ANSWER, Outcome.MISMATCHED))
def test_a_single_wrong_answer_fails_whatever_the_objectives_are(outcome: Outcome) -> None:
    one = run(2000)
    one.requests["outcome"][7] = outcome

    assert "fail" == judge_probe([run(2000, seed=4), one], SLO).answer


def test_failing_requests_fail() -> None:
    one = run(2000)
    one.requests["outcome"][::10] = Outcome.HTTP_ERROR
    assert "fail" == judge_probe([one], parse_objectives("error_rate<1%")).answer


def test_few_requests_are_undecided_and_more_runs_decide() -> None:
    short = [run(2000, count=60, seed=seed) for seed in range(12)]
    first = judge_probe(short[:1], SLO)
    assert ("undecided", True) == (first.answer, first.leans_to_pass)
    assert "pass" == judge_probe(short, SLO).answer


def test_a_client_without_processor_time_left_is_the_limit() -> None:
    verdict = judge_probe([run(400, cpu=0.97)], SLO)
    assert "client_limited" == verdict.answer
    assert "97 %" in verdict.reason


def test_late_sends_are_the_clients_limit() -> None:
    one = run(2000)
    one.requests["sent_ns"] = one.requests["planned_ns"] + 30 * MS
    one.requests["done_ns"] = one.requests["sent_ns"] + MS
    assert "client_limited" == judge_probe([one], SLO).answer


def test_limits_that_are_met_in_spite_of_late_sends_are_met() -> None:
    one = run(2000)
    one.requests["sent_ns"] = one.requests["planned_ns"] + 3 * MS
    one.requests["done_ns"] = one.requests["sent_ns"] + MS
    assert "pass" == judge_probe([one], SLO).answer


def test_sends_that_waited_for_a_connection_are_the_services_failure() -> None:
    one = run(400)
    rows = one.requests
    # Only four connections: a request leaves when the fourth before it is done.
    for index in range(4, len(rows)):
        rows["sent_ns"][index] = max(rows["planned_ns"][index], rows["done_ns"][index - 4])
    held = ProbeRun(rows, replace(one.workload, max_connections=4), one.effective)
    assert "fail" == judge_probe([held], SLO).answer
    roomy = ProbeRun(rows, replace(one.workload, max_connections=256), one.effective)
    assert "client_limited" == judge_probe([roomy], SLO).answer


def test_requests_that_never_left_are_the_clients_limit() -> None:
    one = run(2000)
    never = one.requests[-200:]
    never["sent_ns"], never["done_ns"], never["outcome"] = -1, -1, Outcome.NOT_SENT
    assert "client_limited" == judge_probe([one], SLO).answer


def test_errors_of_the_server_fail_whatever_kept_the_client() -> None:
    one = run(2000)
    one.requests["sent_ns"] += 300_000  # half of the sends late by more than a tenth of the service time
    one.requests["outcome"][::2] = Outcome.HTTP_ERROR
    starved = ProbeRun(one.requests, one.workload, replace(one.effective, client_cpu_fraction=0.97))
    verdict = judge_probe([starved], parse_objectives("error_rate<1%"))
    assert "fail" == verdict.answer
    assert "sent on time" in verdict.reason


@pytest.mark.parametrize("outcome", (Outcome.TIMEOUT, Outcome.DISCONNECTED))
def test_failures_that_a_starved_client_may_have_made_itself_do_not_count_against_the_server(outcome: Outcome) -> None:
    one = run(2000, cpu=0.97)
    one.requests["outcome"][::2] = outcome
    assert "client_limited" == judge_probe([one], parse_objectives("error_rate<1%")).answer


def test_errors_that_a_burst_of_late_sends_may_have_caused_do_not_count_against_the_server() -> None:
    one = run(2000)
    late = slice(None, None, 2)
    one.requests["sent_ns"][late] = one.requests["planned_ns"][late] + 30 * MS
    one.requests["done_ns"][late] = one.requests["sent_ns"][late] + MS
    one.requests["outcome"][late] = Outcome.HTTP_ERROR
    assert "client_limited" == judge_probe([one], parse_objectives("error_rate<1%")).answer


def test_a_few_errors_among_requests_that_were_hardly_sent_do_not_count_against_the_server() -> None:
    one = run(2000, count=200)
    late = slice(None, -20)
    one.requests["sent_ns"][late] = one.requests["planned_ns"][late] + 30 * MS
    one.requests["done_ns"][late] = one.requests["sent_ns"][late] + MS
    one.requests["outcome"] = Outcome.HTTP_ERROR
    assert "client_limited" == judge_probe([one], parse_objectives("error_rate<1%")).answer


def test_joined_runs_follow_one_another_and_leave_out_the_warm_up() -> None:
    first, second = run(2000, count=100), run(2000, count=80, seed=4)
    rows = joined_rows([first, second])
    assert 180 == len(rows)
    assert (np.diff(rows["planned_ns"]) >= 0).all()
    assert rows["planned_ns"][100] > rows["done_ns"][:100].max()
    before = first.requests[first.requests["measured"]]
    assert ((rows["done_ns"] - rows["planned_ns"])[:100] == before["done_ns"] - before["planned_ns"]).all()


@pytest.mark.parametrize(
    ("slo", "least", "most"), (("p99<1s", 500, 1000), ("p99<1s, error_rate<0.1%", 3690, 4000), ("max<1s", 50, 200))
)
def test_the_most_demanding_objective_sets_the_length(slo: str, least: int, most: int) -> None:
    assert least <= requests_needed(parse_objectives(slo)) <= most
