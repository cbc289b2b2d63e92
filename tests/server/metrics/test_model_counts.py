"""What `GET v2/models/M/stats` says of requests whose fate is known."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.server.call import ServerTimes
from modeldyno.server.metrics.model_counts import MOST_SIZES, ModelCounts
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.running_server import RunningServer, infer_request, make_model
from modeldyno.testing.sessions import sum_rows

Serving = Callable[..., RunningServer]
MANUAL_EPOCH_MS = 1_767_225_600_000  # 2026-01-01, see ManualClock


def ask(server: RunningServer, path: str) -> tuple[int, Any]:
    with server.connect() as client:
        reply = client.ask("GET", path)
        return reply.status, json.loads(reply.body)


def infer(server: RunningServer, rows: int, *, model: str = "sums") -> int:
    with server.connect() as client:
        client.send(infer_request([[1.0, 2.0, 3.0, 4.0]] * rows, model=model))
        return client.read().status


def test_requests_rows_executions_and_times_are_counted(serving: Serving) -> None:
    server = serving(make_model(max_rows=8), make_model(name="other"))
    for rows in (1, 3, 3):
        assert 200 == infer(server, rows)
    status, document = ask(server, "/v2/models/sums/stats")
    (entry,) = document["model_stats"]
    assert 200 == status
    assert ("sums", "1", 7, 3) == tuple(
        entry[name] for name in ("name", "version", "inference_count", "execution_count")
    )
    assert entry["last_inference"] > MANUAL_EPOCH_MS
    times = entry["inference_stats"]
    assert {3} == {times[name]["count"] for name in ("success", "queue", "compute_input", "compute_infer")}
    assert {"count": 0, "ns": 0} == times["fail"] == times["cache_hit"] == times["cache_miss"]
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    assert times["success"]["ns"] == sum(times[name]["ns"] for name in parts)
    assert [(1, 1), (3, 2)] == [(one["batch_size"], one["compute_infer"]["count"]) for one in entry["batch_stats"]]
    assert times["compute_infer"]["ns"] == sum(one["compute_infer"]["ns"] for one in entry["batch_stats"])


def test_a_model_that_raises_counts_failures_and_no_execution(serving: Serving) -> None:
    def raising(_: Tensors) -> dict[str, NDArray[np.generic]]:
        raise ZeroDivisionError

    server = serving(make_model(raising))
    assert 500 == infer(server, 1)
    entry = ask(server, "/v2/models/sums/stats")[1]["model_stats"][0]
    assert (0, 0, 1) == (entry["inference_count"], entry["execution_count"], entry["inference_stats"]["fail"]["count"])
    assert entry["inference_stats"]["fail"]["ns"] > 0
    assert [] == entry["batch_stats"]


def test_a_refused_request_is_no_inference(serving: Serving) -> None:
    server = serving(make_model())
    with server.connect() as client:
        assert 400 == client.ask("POST", "/v2/models/sums/infer", b"{").status
    entry = ask(server, "/v2/models/sums/stats")[1]["model_stats"][0]
    assert {0} == {one["count"] for one in entry["inference_stats"].values()}
    assert 0 == entry["last_inference"]


@pytest.mark.parametrize(
    ("path", "expected"),
    (
        ("/v2/models/stats", [("sums", "1"), ("sums", "2"), ("other", "1")]),
        ("/v2/models/sums/stats", [("sums", "1"), ("sums", "2")]),
        ("/v2/models/sums/versions/1/stats", [("sums", "1")]),
    ),
)
def test_all_models_all_versions_of_one_or_one_version_can_be_asked_for(
    serving: Serving, path: str, expected: list[tuple[str, str]]
) -> None:
    server = serving(make_model(), make_model(version="2"), make_model(name="other"))
    assert expected == [(one["name"], one["version"]) for one in ask(server, path)[1]["model_stats"]]


def test_an_unknown_model_has_no_statistics_and_a_model_of_that_name_is_still_found(serving: Serving) -> None:
    server = serving(make_model(name="stats"))
    assert 404 == ask(server, "/v2/models/none/stats")[0]
    assert "stats" == ask(server, "/v2/models/stats")[1]["name"]
    assert "stats" == ask(server, "/v2/models/stats/stats")[1]["model_stats"][0]["name"]


def test_tritons_own_client_reads_them(serving: Serving) -> None:
    server = serving(make_model(sum_rows))
    infer(server, 2)
    with triton.InferenceServerClient(server.address) as client:
        found = client.get_inference_statistics("sums")
    assert 2 == found["model_stats"][0]["inference_count"]


def test_the_times_of_a_batch_count_for_each_request_and_once_for_the_batch() -> None:
    clock = ManualClock(5_000)
    counts = ModelCounts(clock)
    clock.advance_ns(1_000_000_000)
    for _ in range(2):
        counts.count_answer(ServerTimes(10, 200, 3_000, 40), 4)
    counts.count_batch(8, input_ns=20, began_ns=clock.now_ns() - 3_070, ended_ns=clock.now_ns() - 70)
    counts.count_end("failed", clock.now_ns() - 9)
    found = counts.statistics("m", "1")
    assert (8, 1, 2, 6_500) == (found.inference_count, found.execution_count, found.success.count, found.success.ns)
    assert (6_000, 400, 20, 80) == (
        found.compute_infer.ns,
        found.queue.ns,
        found.compute_input.ns,
        found.compute_output.ns,
    )
    assert (1, 9) == (found.fail.count, found.fail.ns)
    (batch,) = found.batches
    assert (8, 1, 3_000, 20, 70) == (
        batch.rows,
        batch.compute_infer.count,
        batch.compute_infer.ns,
        batch.compute_input.ns,
        batch.compute_output.ns,
    )
    assert MANUAL_EPOCH_MS + 1_000 == found.last_inference_ms


@pytest.mark.parametrize("answers", (1, 255, 256, 257, 1_000))
def test_however_many_answers_there_were_since_all_are_in_the_counts_when_they_are_asked_for(answers: int) -> None:
    counts = ModelCounts(ManualClock())
    for number in range(answers):
        counts.count_answer(ServerTimes(number, 5_000, 7, 11, number % 2, 2_000), 1, 13)
    found = counts.own_totals()
    total_ns = sum(range(answers))
    assert (answers, total_ns) == (found.stages["parse"].count, found.stages["parse"].total)
    assert answers // 2 == found.stages["batch"].count == found.stages["batch"].total
    assert answers * 3_000 - answers // 2 == found.stages["queue"].total
    assert (answers, answers * 13) == (found.stages["write"].count, found.stages["write"].total)
    assert (answers, answers * 5_031 + total_ns) == (found.requests["answered"].count, found.requests["answered"].total)
    assert found == counts.own_totals()


def test_the_parts_of_a_pipelines_answer_are_told_apart_and_add_up_to_the_whole() -> None:
    counts = ModelCounts(ManualClock())
    times = ServerTimes(preprocess_ns=10, queue_ns=20, inference_ns=30, postprocess_ns=40)
    counts.count_journey(times, 2, write_ns=5, preprocess_ns=4, postprocess_ns=15)
    totals = counts.own_totals()
    expected = {"parse": 6, "preprocess": 4, "queue": 20, "inference": 30, "postprocess": 15, "encode": 25, "write": 5}
    assert expected == {stage: one.total for stage, one in totals.stages.items() if one.count}
    assert (1, 105) == (totals.requests["answered"].count, totals.requests["answered"].total)
    statistics = counts.statistics("pipeline", "1")
    assert (2, 10, 30, 40) == (
        statistics.inference_count,
        statistics.compute_input.ns,
        statistics.compute_infer.ns,
        statistics.compute_output.ns,
    )


def test_executions_of_ever_new_sizes_are_all_counted_and_memory_is_bounded() -> None:
    counts = ModelCounts(ManualClock())
    for rows in range(1, 2 * MOST_SIZES + 1):
        counts.count_batch(rows, input_ns=1, began_ns=0, ended_ns=0)
    found = counts.statistics("m", "1")
    assert (2 * MOST_SIZES, MOST_SIZES) == (found.execution_count, len(found.batches))
