"""What several processes of one server counted, without processes; `test_metrics` has some."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import ToolError
from modeldyno.server.call import ServerTimes
from modeldyno.server.metrics.metrics import LEAVE_EVERY_S, Metrics
from modeldyno.server.metrics.model_counts import ModelCounts
from modeldyno.server.metrics.slots import STALE_NS, MetricsSlots
from modeldyno.server.metrics.totals import OUTCOMES, ModelTotals, Outcome, add_models
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.manual_loop import ManualLoop
from modeldyno.wire.prometheus import parse_exposition

KEY = ("sums", "1")
PATIENCE_NS = round(LEAVE_EVERY_S * 1e9)


class Process:
    """What one process of a server has of its metrics."""

    def __init__(self, directory: Path, slot: int, clock: ManualClock) -> None:
        self.clock = clock
        self.loop = ManualLoop(clock)
        self.metrics = Metrics(loop=self.loop, clock=clock, slots=MetricsSlots(directory, slot))
        self.counts = self.metrics.counts_of(*KEY)
        self.metrics.start()

    def answer(self, times: int = 1) -> None:
        for _ in range(times):
            self.counts.accepted += 1
            self.counts.count_answer(ServerTimes(1_000, 2_000, 3_000, 4_000), 2, 5_000)
            self.counts.count_batch(2, input_ns=1_000, began_ns=0, ended_ns=3_000, elements=8)

    def leave(self) -> None:
        self.clock.advance_ns(PATIENCE_NS)
        self.loop.advance_ns(0)

    def shown(self, name: str, **labels: str) -> float:
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        exposition = parse_exposition(self.metrics.page(openmetrics=False).decode())
        return sum(
            one.value for one in exposition.samples if one.name == name and all(each in one.labels for each in wanted)
        )


def test_each_process_shows_the_sum_of_all(tmp_path: Path) -> None:
    clock = ManualClock(10**9)
    first, second = Process(tmp_path, 0, clock), Process(tmp_path, 1, clock)
    first.answer(3)
    second.answer(4)
    first.leave()
    second.leave()
    for process in (first, second):
        assert 7 == process.shown("nv_inference_request_success")
        assert 14 == process.shown("nv_inference_count")
        assert 7 == process.shown("modeldyno_request_duration_seconds_count", outcome="answered")
        assert 7 * 15e-6 == pytest.approx(process.shown("modeldyno_request_duration_seconds_sum", outcome="answered"))
        assert 7 == process.counts.statistics(*KEY).success.count
        assert ((2, 7),) == tuple(
            (one.rows, one.compute_infer.count) for one in process.counts.statistics(*KEY).batches
        )


def test_the_last_inference_is_the_last_of_all_processes(tmp_path: Path) -> None:
    clock = ManualClock(10**9)
    first, second = Process(tmp_path, 0, clock), Process(tmp_path, 1, clock)
    first.answer()
    clock.advance_ns(5 * 10**9)
    second.answer()
    for process in (first, second):
        process.leave()
    told = {one.counts.statistics(*KEY).last_inference_ms for one in (first, second)}
    assert {second.counts.own_totals().last_inference_ms} == told
    assert first.counts.own_totals().last_inference_ms < second.counts.own_totals().last_inference_ms


def test_what_a_process_counted_itself_is_shown_at_once_and_elsewhere_when_it_was_left(tmp_path: Path) -> None:
    clock = ManualClock(10**9)
    first, second = Process(tmp_path, 0, clock), Process(tmp_path, 1, clock)
    first.answer()
    assert (1, 0) == (first.shown("nv_inference_count") / 2, second.shown("nv_inference_count"))
    first.leave()
    assert 2 == second.shown("nv_inference_count")


def test_a_killed_process_goes_on_counting_and_what_it_had_accepted_is_lost_when_its_slot_is_taken(
    tmp_path: Path,
) -> None:
    clock = ManualClock(10**9)
    survivor, killed = Process(tmp_path, 0, clock), Process(tmp_path, 1, clock)
    killed.answer(5)
    killed.counts.accepted += 2
    killed.leave()
    assert (5, 2) == (survivor.shown("nv_inference_request_success"), survivor.shown("modeldyno_requests_in_progress"))
    for life in (1, 2):
        heir = Process(tmp_path, 1, clock)
        heir.answer()
        heir.leave()
        for process in (survivor, heir):
            assert 5 + life == process.shown("nv_inference_request_success")
            assert 0 == process.shown("modeldyno_requests_in_progress")
            assert 2 == process.shown("nv_inference_request_failure", reason="BACKEND")
            lost = {"outcome": "lost"}
            assert 2 == process.shown("modeldyno_request_duration_seconds_bucket", le="+Inf", **lost)
            assert 0 == process.shown("modeldyno_request_duration_seconds_bucket", le="100.0", **lost)


def test_a_slot_that_nobody_refreshes_keeps_its_counts_and_loses_its_queue_and_memory(tmp_path: Path) -> None:
    clock = ManualClock(10**9)
    living, gone = Process(tmp_path, 0, clock), Process(tmp_path, 1, clock)
    gone.counts.count_queued = lambda: 9
    gone.answer()
    gone.leave()
    memory = living.shown("process_resident_memory_bytes")
    assert 9 == living.shown("nv_inference_pending_request_count")
    clock.advance_ns(STALE_NS + 1)
    assert 0 == living.shown("nv_inference_pending_request_count")
    assert 1 == living.shown("nv_inference_request_success")
    assert living.shown("process_resident_memory_bytes") < memory


def test_a_model_that_is_loaded_anew_is_counted_on(tmp_path: Path) -> None:
    process = Process(tmp_path, 0, ManualClock(10**9))
    assert process.counts is process.metrics.counts_of(*KEY)
    assert process.counts is not process.metrics.counts_of("sums", "2")


def test_a_model_that_the_heir_does_not_serve_is_still_shown_and_left_on(tmp_path: Path) -> None:
    clock = ManualClock(10**9)
    Process(tmp_path, 0, clock).metrics.counts_of("old", "1").count_refusal(503)
    first = Process(tmp_path, 0, clock)
    first.metrics.counts_of("old", "1").count_refusal(503)
    first.leave()
    for _ in range(2):
        heir = Process(tmp_path, 0, clock)
        assert 1 == heir.shown("modeldyno_requests_refused_total", model="old", status="503")
        heir.leave()


def test_the_last_counts_are_left_at_the_end_and_none_after(tmp_path: Path) -> None:
    clock = ManualClock(10**9)
    ending, other = Process(tmp_path, 0, clock), Process(tmp_path, 1, clock)
    ending.answer()
    ending.metrics.stop()
    assert 0 == ending.loop.timers
    assert 1 == other.shown("nv_inference_request_success")


def test_a_directory_that_cannot_be_written_is_logged_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "slots"
    directory.mkdir()
    process = Process(directory, 0, ManualClock(10**9))
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    for _ in range(3):
        process.answer()
        process.leave()
    assert ["the metrics cannot be left for the other processes"] == [one.message for one in caplog.records]
    assert 3 == process.shown("nv_inference_request_success")


def test_a_slot_that_something_else_wrote_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0.slot").write_bytes(b"something else")
    with pytest.raises(ToolError, match="no slot of metrics"):
        MetricsSlots(tmp_path, 0)


Event = Outcome | Literal["refused"]
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from((*OUTCOMES, "refused")),
        st.integers(0, 10**12),
        st.integers(1, 5_000),
    )
)


def record(counts: ModelCounts, what: Event, duration_ns: int, rows: int) -> None:
    if what == "refused":
        counts.count_refusal(400 + rows % 3)
        return
    counts.accepted += 1
    if what == "answered":
        counts.count_answer(ServerTimes(duration_ns, duration_ns // 2, rows, 7, duration_ns // 4), rows, 3)
        counts.count_batch(rows, input_ns=duration_ns, began_ns=0, ended_ns=rows, elements=rows, padding_elements=1)
    else:
        counts.count_end(what, -duration_ns)


@given(EVENTS)
def test_it_does_not_matter_which_process_counted_what(events: list[tuple[int, Event, int, int]]) -> None:
    clock = ManualClock()
    together, apart = ModelCounts(clock), [ModelCounts(clock) for _ in range(3)]
    for process, what, duration_ns, rows in events:
        record(together, what, duration_ns, rows)
        record(apart[process], what, duration_ns, rows)
    expected, actual = together.totals(), add_models(one.own_totals() for one in apart)
    assert expected == actual
    check_sums(actual)


def check_sums(totals: ModelTotals) -> None:
    answered = totals.requests["answered"]
    assert 0 == totals.in_progress
    assert answered.total == sum(stage.total for stage in totals.stages.values())
    assert {answered.count} == {
        totals.stages[stage].count for stage in ("parse", "queue", "inference", "encode", "write")
    }
    assert totals.batches.count == sum(size.count for size in totals.sizes.values())
    assert totals.rows == totals.batches.total
    statistics = totals.statistics(*KEY)
    assert answered.count == statistics.success.count
    assert answered.total == statistics.success.ns + totals.stages["write"].total
