"""From a scenario of MLPerf Inference to the shape of a load, and from a finished load to the scenario's result."""

import math
from dataclasses import replace

import msgspec
import numpy as np

from modeldyno.api.load.questions.ask import Questions
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.errors import UsageError
from modeldyno.records.requests import empty_requests
from modeldyno.records.run import Run
from modeldyno.records.scenario import Scenario, ScenarioResult
from modeldyno.stats.early_stopping import least_queries
from modeldyno.stats.scenario import judge_scenario
from modeldyno.traffic.schedules import planned_moments

OFFLINE_REQUESTS = 32
"""Requests in flight in Offline, when the user does not say: what most servers need to be busy, and few refuse."""


def scenario_load(scenario: Scenario, shape: Shape, rate_per_s: float | None) -> tuple[Scenario, Shape]:
    """How a scenario is offered to a server.

    SingleStream and MultiStream are a closed loop of one user, Offline one of several, each for a little longer than
    the duration, so that the last query begins (in Offline: the last answer comes) after the minimum. Server is a
    Poisson process that ends with the first query scheduled at the duration or later.

    Args:
        scenario: its rules.
        shape: the rest, whose duration is taken when it is longer than the scenario's minimum. Server: the arrivals
            are Poisson. Offline: its rows, concurrency and requests are taken.
        rate_per_s: Server: queries per second; not for the others.

    Returns:
        The scenario as it is offered, and the shape.

    Raises:
        UsageError: the shape has what the scenario cannot, or the Server scenario has no rate.
    """
    _refuse(scenario, shape, rate_per_s)
    rows = _rows_asked(shape) if scenario.name == "offline" else scenario.samples_per_query
    duration_ns = max(scenario.min_duration_ns, shape.duration_ns)
    scenario = msgspec.structs.replace(scenario, samples_per_query=rows)
    shape = replace(shape, rows_per_request=rows, row_mix=())
    if scenario.name == "server":
        queries = _scheduled_queries(scenario, shape, rate_per_s or 0.0, duration_ns)
        return scenario, replace(shape, arrivals="poisson", requests=queries)
    users = shape.concurrency or OFFLINE_REQUESTS if scenario.name == "offline" else 1
    slack_ns = max(10**9, duration_ns // 50)
    return scenario, replace(shape, arrivals="closed", concurrency=users, duration_ns=duration_ns + slack_ns)


def check_samples(scenario: Scenario | None, questions: Questions) -> None:
    """Whether a request can hold as many samples as the scenario sends in one.

    Raises:
        UsageError: the model takes no batches, or the protocol's requests hold one sample each.
    """
    if scenario is None or scenario.samples_per_query == 1 or questions.protocol == "null":
        return
    if questions.signature is None:
        why = f"a request of the protocol {questions.protocol} holds one"
    elif not questions.signature.has_batch_dimension:
        why = "the model's first dimension does not vary: it takes one sample a request"
    else:
        return
    raise UsageError(
        f"{scenario.title} cannot send {scenario.samples_per_query} samples in a request to {questions.model}",
        why=why,
        hint="choose --scenario single-stream" if scenario.name == "multi-stream" else "leave out --rows",
    )


def unjudged(scenario: Scenario | None) -> ScenarioResult | None:
    """The result of a scenario of which nothing has been measured; a run that begins keeps its rules with it."""
    return None if scenario is None else judge_scenario(scenario, empty_requests(0))


def judged_scenario(run: Run, requests: np.ndarray) -> Run:
    """The run with its scenario judged anew from the raw requests; as it is when it has none."""
    if run.scenario is None:
        return run
    return msgspec.structs.replace(run, scenario=judge_scenario(run.scenario.scenario, requests))


def _rows_asked(shape: Shape) -> int:
    return shape.row_mix[0].rows if shape.row_mix else shape.rows_per_request


def _refuse(scenario: Scenario, shape: Shape, rate_per_s: float | None) -> None:
    title, is_offline, is_server = scenario.title, scenario.name == "offline", scenario.name == "server"
    if shape.arrivals not in ("poisson", "closed") or (shape.arrivals == "closed" and is_server):
        raise UsageError(f"{title} has arrivals of its own, not {shape.arrivals}", hint="leave out --arrivals")
    if is_server and rate_per_s is None:
        raise UsageError("the Server scenario needs a rate", hint="for example --rate 500")
    if not is_server and rate_per_s is not None:
        raise UsageError(f"{title} has no rate: it sends as answers come", hint="leave out --rate")
    if not is_offline and shape.concurrency:
        raise UsageError(f"{title} has no number of users to choose", hint="leave out --concurrency")
    if not is_offline and shape.requests is not None:
        raise UsageError(f"{title} ends by its duration", hint="--duration, or a shorter --min-duration")
    if not is_offline and _rows_asked(shape) != 1:
        hint = "--samples-per-query" if scenario.name == "multi-stream" else "leave out --rows"
        raise UsageError(f"{title} does not take --rows", hint=hint)
    if len(shape.row_mix) > 1:
        raise UsageError(f"{title} sends requests of one size", hint="for example --rows 8")


def _scheduled_queries(scenario: Scenario, shape: Shape, rate_per_s: float, duration_ns: int) -> int:
    """Queries up to the first that is scheduled `duration_ns` after the first of all, as LoadGen issues them.

    But at least what early stopping needs when one of them is over the target latency.
    """
    expected = rate_per_s * duration_ns / 1e9
    plenty = math.ceil(expected + 6 * math.sqrt(expected)) + 10  # less than one schedule in 10**9 is shorter
    least = max(scenario.min_count, least_queries(1, scenario.percentile or 0.0))
    workload = workload_of("", "", rate_per_s, replace(shape, arrivals="poisson", requests=max(plenty, least)))
    moments_ns = planned_moments(workload)[workload.warmup_requests :]
    return max(least, int(np.searchsorted(moments_ns, moments_ns[0] + duration_ns)) + 1)
