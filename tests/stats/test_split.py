import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.model_statistics import ModelActivity
from modeldyno.records.requests import Outcome, empty_requests
from modeldyno.records.run import ResponseSplit
from modeldyno.stats.split import split_response

PARTS = [name for name in ResponseSplit.__struct_fields__ if name.endswith("_ns") and name != "response_ns"]


def answered(count: int = 10, *, late_ns: int = 50_000, service_ns: int = 1_000_000) -> np.ndarray:
    rows = empty_requests(count)
    rows["planned_ns"] = np.arange(count) * 1_000_000
    rows["sent_ns"] = rows["planned_ns"] + late_ns
    rows["done_ns"] = rows["sent_ns"] + service_ns
    rows["outcome"] = Outcome.OK
    return rows


def activity(total_ns: float | None = 700_000.0, answered: int = 10) -> ModelActivity:
    return ModelActivity(
        from_ns=0,
        to_ns=1,
        has_warmup=False,
        answered=answered,
        failed=0,
        rows=answered,
        executions=answered,
        rows_per_execution=1.0,
        total_ns=total_ns,
        queue_ns=300_000.0,
        compute_input_ns=20_000.0,
        compute_infer_ns=250_000.0,
        compute_output_ns=30_000.0,
    )


def split_of(rows: np.ndarray, told: ModelActivity | None = None) -> ResponseSplit:
    found = split_response(rows, told)
    assert found is not None
    return found


def total(split: ResponseSplit) -> float:
    return math.fsum(part for name in PARTS if (part := getattr(split, name)) is not None)


moments = st.integers(0, 10**12)
reported = st.integers(-1, 10**9)


@given(
    st.lists(st.tuples(moments, moments, moments, st.integers(-1, 10**12), *[reported] * 5), min_size=1, max_size=20),
    st.one_of(st.none(), st.floats(0, 1e12)),
)
def test_the_parts_add_up_whatever_is_reported(rows: list[tuple[int, ...]], total_ns: float | None) -> None:
    requests = empty_requests(len(rows))
    for row, (planned, late, service, connect, *server) in zip(requests, rows, strict=True):
        row["planned_ns"], row["sent_ns"], row["done_ns"] = planned, planned + late, planned + late + service
        row["connect_ns"] = connect
        for name, value in zip(("preprocess", "queue", "inference", "postprocess", "total"), server, strict=True):
            row[f"server_{name}_ns"] = value
    split = split_of(requests, activity(total_ns))
    assert pytest.approx(split.response_ns, rel=1e-9, abs=1) == total(split)
    assert split.client_wait_ns >= 0
    assert split.connect_ns >= 0


def test_opening_a_connection_is_taken_out_of_the_wait() -> None:
    rows = answered(4, late_ns=400_000)
    rows["connect_ns"] = [-1, 0, 300_000, 100_000]
    split = split_of(rows)
    assert (100_000, 300_000) == (split.connect_ns, split.client_wait_ns)


def test_a_connection_that_opened_before_the_request_was_due_kept_it_waiting_from_then_on_only() -> None:
    rows = answered(2, late_ns=50_000)
    rows["connect_ns"] = 900_000
    assert (50_000, 0) == (split_of(rows).connect_ns, split_of(rows).client_wait_ns)


def test_a_server_that_says_nothing_leaves_its_side_in_one_piece() -> None:
    split = split_of(answered())
    assert (None, None, None) == (split.source, split.transmission_ns, split.inference_ns)
    assert pytest.approx(1_000_000) == split.unaccounted_ns


def test_the_times_on_the_answers_are_believed_before_the_statistics() -> None:
    rows = answered()
    rows["server_total_ns"], rows["server_inference_ns"] = 500_000, 400_000
    split = split_of(rows, activity())
    assert ("server-timing", 400_000, 500_000) == (split.source, split.inference_ns, split.transmission_ns)
    assert (None, 100_000) == (split.server_queue_ns, split.unaccounted_ns)


def test_without_times_on_the_answers_the_servers_statistics_tell() -> None:
    split = split_of(answered(), activity())
    assert "triton statistics" == split.source
    assert pytest.approx(300_000) == split.transmission_ns
    assert (300_000, 20_000, 250_000, 30_000) == (
        split.server_queue_ns,
        split.preprocessing_ns,
        split.inference_ns,
        split.postprocessing_ns,
    )
    assert pytest.approx(100_000) == split.unaccounted_ns


@pytest.mark.parametrize("told", (activity(1_000_001.0), activity(None)))
def test_statistics_of_others_requests_or_of_none_are_not_used(told: ModelActivity) -> None:
    assert split_of(answered(), told).source is None


def test_nothing_answered_has_no_split() -> None:
    assert split_response(empty_requests(0)) is None
