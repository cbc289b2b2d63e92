from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

import modeldyno
from modeldyno.api.load.questions.ask import Ask, Prepared, Questions
from modeldyno.api.load.scenarios import check_samples, scenario_load, unjudged
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.api.reporting import stored_markdown, stored_record
from modeldyno.errors import UsageError
from modeldyno.loadgen.recorder import finish_run, read_run
from modeldyno.loadgen.wiring import Wiring
from modeldyno.records.run import Run
from modeldyno.records.scenario import Scenario, ScenarioName, scenario_of
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.records.workload import ProtocolName, RowShare, Workload
from modeldyno.testing.known_servers import Behaviour, known_server
from modeldyno.traffic.schedules import planned_moments

SECOND = 10**9
ROW = (RowShare(rows=1, share=1.0),)
FIXED = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=(1, 4)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=(1, 1)),),
)


def short(name: ScenarioName) -> Scenario:
    return scenario_of(name, min_duration_ns=SECOND, target_latency_ns=10**7 if name == "server" else None)


def offered(
    name: ScenarioName, rate_per_s: float | None = None, shape: Shape | None = None
) -> tuple[Scenario, Workload]:
    scenario, made = scenario_load(short(name), shape or Shape(duration_ns=0, row_mix=ROW), rate_per_s)
    return scenario, workload_of("http://127.0.0.1:1", "m", rate_per_s or 0.0, made)


def test_single_stream_is_a_closed_loop_of_one_user_that_outlasts_the_minimum() -> None:
    _, load = offered("single-stream")
    assert (1, 1, True) == (load.concurrency, load.rows_per_request, load.is_closed)
    assert SECOND < load.duration_ns <= 3 * SECOND


def test_multi_stream_sends_its_samples_in_one_request() -> None:
    _, load = offered("multi-stream")
    assert (1, 8) == (load.concurrency, load.rows_per_request)


def test_offline_takes_the_rows_and_the_concurrency_of_the_user() -> None:
    shape = Shape(concurrency=3, row_mix=(RowShare(rows=16, share=1.0),), requests=2_000)
    scenario, load = offered("offline", shape=shape)
    assert (3, 16, 2_000, 0) == (load.concurrency, load.rows_per_request, load.requests, load.duration_ns)
    assert 16 == scenario.samples_per_query


def test_offline_keeps_the_server_busy_when_the_user_says_nothing() -> None:
    _, load = offered("offline")
    assert (32, 1) == (load.concurrency, load.rows_per_request)


@pytest.mark.parametrize("warmup_ns", (0, SECOND))
def test_server_ends_with_the_first_query_scheduled_after_the_minimum(warmup_ns: int) -> None:
    _, load = offered("server", 2_000.0, Shape(duration_ns=0, warmup_ns=warmup_ns, row_mix=ROW))
    moments = planned_moments(load)[load.warmup_requests :]
    assert "poisson" == load.arrivals
    assert moments[-2] - moments[0] < SECOND <= moments[-1] - moments[0]


def test_server_offers_at_least_what_early_stopping_needs() -> None:
    _, load = offered("server", 20.0)
    assert 662 == load.requests


def test_a_longer_duration_is_taken() -> None:
    _, load = offered("single-stream", shape=Shape(duration_ns=7 * SECOND))
    assert 8 * SECOND == load.duration_ns
    _, load = offered("server", 500.0, Shape(duration_ns=7 * SECOND))
    assert 7 * SECOND <= np.ptp(planned_moments(load)[load.warmup_requests :]) < 8 * SECOND


@pytest.mark.parametrize(
    ("name", "rate_per_s", "shape", "words"),
    (
        ("server", None, Shape(), "needs a rate"),
        ("server", 5.0, Shape(arrivals="constant"), "arrivals of its own"),
        ("server", 5.0, Shape(arrivals="closed", concurrency=2), "arrivals of its own"),
        ("server", 5.0, Shape(concurrency=2), "no number of users"),
        ("server", 5.0, Shape(requests=10), "ends by its duration"),
        ("server", 5.0, Shape(rows_per_request=2), "does not take --rows"),
        ("single-stream", 5.0, Shape(), "has no rate"),
        ("single-stream", None, Shape(arrivals="ramp"), "arrivals of its own"),
        ("multi-stream", None, Shape(row_mix=(RowShare(rows=8, share=1.0),)), "does not take --rows"),
        ("multi-stream", None, Shape(concurrency=2), "no number of users"),
        ("offline", 5.0, Shape(), "has no rate"),
        ("offline", None, Shape(row_mix=(RowShare(rows=1, share=0.5), RowShare(rows=8, share=0.5))), "one size"),
    ),
)
def test_a_load_that_is_not_the_scenarios_is_refused(
    name: ScenarioName, rate_per_s: float | None, shape: Shape, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        scenario_load(short(name), shape, rate_per_s)


def questions(protocol: ProtocolName, signature: Signature | None) -> Questions:
    def make(sizes: Sequence[int], seed: int) -> Prepared:
        raise AssertionError("nothing is sent")

    return Questions(protocol=protocol, model="m", wiring=Wiring(), make=make, signature=signature)


def test_several_samples_in_a_request_need_a_model_and_a_protocol_that_take_them() -> None:
    check_samples(None, questions("oip", FIXED))
    check_samples(short("single-stream"), questions("oip", FIXED))
    check_samples(short("multi-stream"), questions("null", None))
    with pytest.raises(UsageError, match="MultiStream cannot send 8 samples") as caught:
        check_samples(short("multi-stream"), questions("oip", FIXED))
    assert "first dimension" in caught.value.why
    with pytest.raises(UsageError, match="MultiStream cannot send 8 samples") as caught:
        check_samples(short("multi-stream"), questions("openai-chat", None))
    assert "openai-chat" in caught.value.why


def test_a_stored_run_is_judged_anew_from_its_requests(tmp_path: Path) -> None:
    scenario = scenario_of("single-stream", min_duration_ns=SECOND // 10)
    with known_server(Behaviour(delay_ns=10**6)) as server:
        run, directory = modeldyno.load(
            server.url,
            ask=Ask(model="known"),
            shape=Shape(duration_ns=0, warmup_ns=0),
            scenario=scenario,
            out=tmp_path / "x.run",
        )
    assert run.scenario is not None
    assert run.scenario.queries > 0
    _, requests = read_run(directory)
    finish_run(directory, msgspec.structs.replace(run, scenario=unjudged(scenario)), requests)
    again = stored_record(directory)
    assert isinstance(again, Run)
    assert run.scenario == again.scenario
    assert "MLPerf SingleStream" in stored_markdown(directory)
