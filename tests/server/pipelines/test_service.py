from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple
from numpy.typing import NDArray

from modeldyno.errors import ToolError
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Cache, Lane
from modeldyno.records.pipeline import Cascade, Ensemble, Member, Node, Sequence
from modeldyno.records.processing import Labels, Processing, Scale
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.call import Answer, Refusal
from modeldyno.testing.gated_pipeline import GatedMember, GatedPipeline, outputs_of
from modeldyno.testing.gated_service import MS, Asked, gated_deployment

SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=("n", 2)),),
    outputs=(TensorSpec(name="p", datatype="FP32", shape=("n", 2)),),
)
SMALL, BIG = Member(name="small"), Member(name="big")
CASCADE = Cascade(stages=(SMALL, BIG), thresholds=(0.8,), confidence="p")
ENSEMBLE = Ensemble(members=(SMALL, BIG), method="average", output="p")
CHAIN = Sequence(steps=(SMALL, Processing(operations=(Scale(tensor="p", multiply=(10,), output="x"),)), BIG))


def give_back(inputs: Tensors) -> dict[str, NDArray[Any]]:
    return {"p": inputs["x"].copy()}


def plus_one(inputs: Tensors) -> dict[str, NDArray[Any]]:
    return {"p": np.asarray(inputs["x"], np.float32) + np.float32(1)}


def raises(_: Tensors) -> dict[str, NDArray[Any]]:
    raise ToolError("a fault")


def rows(*firsts: float) -> NDArray[np.float32]:
    return np.array([[first, 0] for first in firsts], np.float32)


@pytest.fixture
def gated() -> Iterator[Callable[..., GatedPipeline]]:
    """Pipelines that are closed with the test, when their accounts have to agree."""
    opened = []

    def open_one(graph: Node, *, small: Any = None, big: Any = None, timeout_ns: int | None = None) -> GatedPipeline:
        members = {
            "small": GatedMember(SIGNATURE, give_back, small or gated_deployment()),
            "big": GatedMember(SIGNATURE, plus_one, big or gated_deployment()),
        }
        opened.append(GatedPipeline(graph, members, timeout_ns=timeout_ns))
        return opened[-1]

    yield open_one
    for pipeline in opened:
        pipeline.close()
        assert 0 == pipeline.tally.account().unaccounted
        assert 0 == pipeline.service._member_tally.account().unaccounted
        assert not pipeline.service._journeys


def firsts(asked: Asked) -> list[float]:
    return [row[0] for row in outputs_of(asked)["p"]]


def refusal_of(asked: Asked) -> Refusal:
    (reply,) = asked.replies
    assert isinstance(reply, Refusal)
    return reply


def test_rows_of_several_requests_are_passed_on_in_one_batch(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CASCADE)
    first = pipeline.ask(rows(0.9))  # the instance computes it alone; the next two wait and are batched
    second, third = pipeline.ask(rows(0.5, 0.9)), pipeline.ask(rows(0.1, 0.2, 0.95))
    pipeline.end_batch("small")
    pipeline.end_batch("small")
    assert [200, None, None] == [asked.status for asked in (first, second, third)]
    pipeline.end_batch("big")
    assert [1, 5] == pipeline.members["small"].session.batches
    assert [3] == pipeline.members["big"].session.batches
    np.testing.assert_allclose([1.5, 0.9], firsts(second), rtol=1e-6)
    np.testing.assert_allclose([1.1, 1.2, 0.95], firsts(third), rtol=1e-6)
    assert [1, 1, 0] == outputs_of(third)["cascade_stage"]
    assert (3, 3) == (pipeline.tally.accepted, pipeline.tally.answered)
    pages = {one.name: one for one in [pipeline.service.statistics(), *pipeline.service.member_statistics()]}
    assert {"gated": 6, "gated/small": 6, "gated/big": 3} == {name: one.inference_count for name, one in pages.items()}
    assert {"gated": 3, "gated/small": 2, "gated/big": 1} == {name: one.execution_count for name, one in pages.items()}


def test_members_of_an_ensemble_compute_at_the_same_time(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(ENSEMBLE)
    asked = pipeline.ask(rows(1))
    assert [1, 1] == [len(pipeline.members[name].session.batches) for name in ("small", "big")]
    pipeline.end_batch("big", after_ns=2 * MS)
    assert asked.status is None
    pipeline.end_batch("small", after_ns=3 * MS)
    assert [1.5] == firsts(asked)


def test_the_time_of_a_request_is_that_of_the_members_on_its_way(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(ENSEMBLE)
    asked = pipeline.ask(rows(1))
    pipeline.end_batch("big", after_ns=2 * MS)
    pipeline.end_batch("small", after_ns=3 * MS)
    (reply,) = asked.replies
    assert isinstance(reply, Answer)
    assert 5 * MS == reply.times.inference_ns
    assert 5 * MS == sum(astuple(reply.times)[:4])
    statistics = pipeline.service.statistics()
    assert 5 * MS == statistics.compute_infer.ns
    assert 5 * MS == statistics.success.ns


def test_the_parts_of_a_chain_leave_no_gap(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CHAIN)
    first, second = pipeline.ask(rows(1)), pipeline.ask(rows(2))
    pipeline.end_batch("small", after_ns=2 * MS)  # what is between the two is computed on a thread at first
    pipeline.loop.wait_for_thread()
    pipeline.settle()
    pipeline.end_batch("small", after_ns=3 * MS)
    pipeline.end_batch("big", after_ns=4 * MS)
    pipeline.end_batch("big", after_ns=5 * MS)
    assert [[11], [21]] == [firsts(first), firsts(second)]
    (reply,) = second.replies
    assert isinstance(reply, Answer)
    assert (0, 2 * MS + 4 * MS, 3 * MS + 5 * MS, 0) == astuple(reply.times)[:4]


def test_what_is_done_before_the_models_and_behind_them_is_told_from_decoding_and_encoding(
    gated: Callable[..., GatedPipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = TensorSpec(name="x", datatype="FP32", shape=("batch", 2))
    before = Processing(inputs=(x,), operations=(Scale(tensor="x", add=(1,)),))
    behind = Processing(operations=(Scale(tensor="p", add=(1,)),))
    pipeline = gated(Sequence(steps=(before, *CHAIN.steps, behind)))
    service, encode = pipeline.service, msgspec.json.encode

    def encode_slowly(described: object) -> bytes:  # what the answer says of its only tensor
        pipeline.clock.sleep_until_ns(pipeline.clock.now_ns() + 7 * MS)
        return encode(described)

    monkeypatch.setattr(msgspec.json, "encode", encode_slowly)

    def process(duration_ns: int) -> None:  # on a thread at first, and meanwhile time passes
        pipeline.loop.advance_ns(duration_ns)
        pipeline.loop.wait_for_thread()
        pipeline.settle()

    asked = pipeline.ask(rows(1))
    process(1 * MS)
    pipeline.end_batch("small", after_ns=2 * MS)
    process(3 * MS)
    pipeline.end_batch("big", after_ns=4 * MS)
    process(5 * MS)
    assert [22] == firsts(asked)
    totals = service._counts.own_totals()
    took = {stage: distribution.total for stage, distribution in totals.stages.items() if distribution.total}
    assert {"preprocess": 1 * MS, "inference": 6 * MS, "postprocess": 8 * MS, "encode": 7 * MS} == took
    assert 22 * MS == totals.requests["answered"].total
    statistics = service.statistics()
    assert (1 * MS, 15 * MS) == (statistics.compute_input.ns, statistics.compute_output.ns)
    assert 22 * MS == statistics.success.ns


def test_a_failing_member_fails_the_request_and_no_other(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(ENSEMBLE)
    first, second = pipeline.ask(rows(1)), pipeline.ask(rows(2))
    pipeline.end_batch("big", raises)
    assert (500, "'big': the model failed: ToolError") == refusal_of(first)[:2]
    pipeline.end_batch("small")
    pipeline.end_batch("small")
    pipeline.end_batch("big")
    assert [2.5] == firsts(second)
    assert (2, 1, 1) == (pipeline.tally.accepted, pipeline.tally.answered, pipeline.tally.failed)
    assert 1 == pipeline.service._member_tally.cancelled


def test_a_cancelled_request_is_withdrawn_from_all_members(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(ENSEMBLE)
    kept, gone = pipeline.ask(rows(1)), pipeline.ask(rows(2))
    assert 2 == pipeline.service.queued_calls
    pipeline.cancel(gone)
    assert 0 == pipeline.service.queued_calls
    pipeline.end_batch("small")
    pipeline.end_batch("big")
    assert ([1.5], None) == (firsts(kept), gone.status)
    assert (1, 1) == (pipeline.tally.answered, pipeline.tally.cancelled)
    assert [1] == pipeline.members["big"].session.batches


def test_a_request_cancelled_between_two_steps_goes_no_further(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CASCADE)
    asked = pipeline.ask(rows(0.5))
    pipeline.members["small"].session.orders.put(None)
    callback, arguments = pipeline.loop._from_threads.get(timeout=20)
    callback(*arguments)  # the first stage has answered, and the second is about to be asked
    assert asked.call is not None
    pipeline.service.cancel(asked.call)
    pipeline.settle()
    assert ([], None) == (pipeline.members["big"].session.batches, asked.status)
    assert (1, 0) == (pipeline.tally.cancelled, pipeline.tally.failed)


def test_a_deadline_is_kept_by_every_step(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CASCADE, timeout_ns=10 * MS)
    blocking = pipeline.ask(rows(0.5), timeout_us=1_000_000)
    pipeline.end_batch("small", after_ns=MS)
    waiting = pipeline.ask(rows(0.6))
    pipeline.end_batch("small", after_ns=MS)  # it waits for the second stage now, which is busy
    pipeline.advance_ns(20 * MS)
    assert 504 == refusal_of(waiting).status
    assert refusal_of(waiting).message.startswith("'big': the deadline passed")
    pipeline.end_batch("big")
    assert 504 == refusal_of(blocking).status  # a request may only ask for less than the pipeline's own
    assert (2, 2) == (pipeline.tally.accepted, pipeline.tally.expired)


def test_a_full_queue_at_the_first_step_refuses(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CASCADE, small=gated_deployment(max_queued_rows=1))
    pipeline.ask(rows(0.9))
    pipeline.ask(rows(0.9))
    refused = pipeline.ask(rows(0.9))
    assert 503 == refusal_of(refused).status
    assert refusal_of(refused).retry_after_s is not None
    assert (2, 1) == (pipeline.tally.accepted, pipeline.tally.refused)
    pipeline.end_batch("small")
    pipeline.end_batch("small")


def test_a_full_queue_at_one_of_two_members_withdraws_the_other(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(ENSEMBLE, big=gated_deployment(max_queued_rows=1))
    pipeline.ask(rows(1))
    pipeline.ask(rows(2))
    refused = pipeline.ask(rows(3))
    assert (None, 503) == (refused.call, refusal_of(refused).status)
    assert 2 == pipeline.service.queued_calls
    assert (2, 1) == (pipeline.tally.accepted, pipeline.tally.refused)
    assert 1 == pipeline.service._member_tally.cancelled


def test_a_full_queue_at_a_later_step_ends_an_accepted_request(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CASCADE, big=gated_deployment(max_queued_rows=1))
    asked = []
    for _ in range(3):
        asked.append(pipeline.ask(rows(0.5)))
        pipeline.end_batch("small")
    assert [None, None, 503] == [one.status for one in asked]
    assert (3, 1, 0) == (pipeline.tally.accepted, pipeline.tally.failed, pipeline.tally.refused)
    pipeline.end_batch("big")
    pipeline.end_batch("big")


LABELLED = Sequence(
    steps=(
        Processing(
            inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
            operations=(Scale(tensor="x", add=(0,)),),
        ),
        SMALL,
    )
)


def test_values_that_processing_refuses_are_the_clients_fault_before_a_model_and_the_models_after_it(
    gated: Callable[..., GatedPipeline],
) -> None:
    from modeldyno.records.processing import Cast

    refusing = Processing(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
        operations=(Cast(tensor="x", datatype="UINT8", output="y"),),
    )
    before = gated(Sequence(steps=(refusing, SMALL)))
    asked = before.ask(rows(-1))
    before.loop.wait_for_thread()
    assert (400, "tensor 'x' holds a value that is no UINT8") == refusal_of(asked)[:2]
    after = gated(Sequence(steps=(SMALL, Processing(operations=(Cast(tensor="p", datatype="UINT8", output="y"),)))))
    asked = after.ask(rows(-1))
    after.end_batch("small")
    after.loop.wait_for_thread()
    assert 500 == refusal_of(asked).status
    assert (1, 1) == (after.tally.accepted, after.tally.failed)


def test_short_processing_is_done_on_the_loop_once_it_is_known_to_be(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(LABELLED)
    pipeline.ask(rows(1))
    pipeline.loop.wait_for_thread()
    pipeline.settle()
    pipeline.end_batch("small")
    asked = pipeline.ask(rows(2))  # no thread this time
    pipeline.end_batch("small")
    assert [2] == firsts(asked)


def test_members_use_their_own_cache_for_equal_rows(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CASCADE, small=gated_deployment(cache=Cache(max_bytes=10**6)))
    first = pipeline.ask(rows(0.9))
    pipeline.end_batch("small")
    second = pipeline.ask(rows(0.9))
    assert firsts(first) == firsts(second)
    assert [1] == pipeline.members["small"].session.batches
    assert (2, 2) == (pipeline.tally.accepted, pipeline.tally.answered)


def test_a_pipeline_is_ready_when_all_members_are(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CASCADE, big=gated_deployment(stall_limit_ns=10 * MS))
    assert pipeline.service.is_able
    asked = pipeline.ask(rows(0.5))
    pipeline.end_batch("small")
    pipeline.advance_ns(20 * MS)  # the second stage hangs and is given up
    assert 503 == refusal_of(asked).status
    assert pipeline.service.trouble is not None
    assert pipeline.service.trouble.startswith("'big': ")
    assert not pipeline.service.is_able


def test_what_is_left_when_a_pipeline_is_closed_is_lost_and_told(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(CASCADE)
    asked = [pipeline.ask(rows(0.5)), pipeline.ask(rows(0.5))]
    pipeline.close("the model was unloaded")
    assert [(503, "the model was unloaded")] * 2 == [refusal_of(one)[:2] for one in asked]
    assert 2 == pipeline.tally.lost


def test_priorities_reach_the_members(gated: Callable[..., GatedPipeline]) -> None:
    import msgspec

    from modeldyno.server.call import Call

    lanes = Batching(max_rows=1, lanes=(Lane(), Lane()), default_priority=2)
    pipeline = gated(CASCADE, small=gated_deployment(lanes))
    pipeline.ask(rows(0.9))
    late = pipeline.ask(rows(0.81))
    urgent = Asked(msgspec.structs.replace(late.request, inputs={"x": rows(0.82)}, priority=1))
    assert isinstance(
        pipeline.service.accept(urgent.request, started_ns=pipeline.clock.now_ns(), reply=urgent.replies.append), Call
    )
    pipeline.end_batch("small")
    pipeline.end_batch("small")
    assert (200, None) == (urgent.status, late.status)
    pipeline.end_batch("small")


def test_labels_that_no_client_can_read_in_json_fail_the_request_alone(gated: Callable[..., GatedPipeline]) -> None:
    import msgspec

    from modeldyno.wire.v2_wishes import OutputWish

    pipeline = gated(CASCADE)
    asked = pipeline.ask(rows(0.9))
    pipeline.cancel(asked)
    pipeline.end_batch("small")
    again = Asked(msgspec.structs.replace(asked.request, wishes=(OutputWish("p", binary=False),)))
    pipeline.service.accept(again.request, started_ns=pipeline.clock.now_ns(), reply=again.replies.append)
    pipeline.settle()
    pipeline.end_batch("small", lambda inputs: {"p": np.full_like(inputs["x"], np.inf)})
    assert "JSON" in refusal_of(again).message
    assert 1 == pipeline.tally.failed


def test_the_configuration_shows_the_graph(gated: Callable[..., GatedPipeline]) -> None:
    import msgspec

    config = gated(CASCADE).service.config()
    assert CASCADE == msgspec.json.decode(config["parameters"]["graph"]["string_value"], type=Cascade)
    assert (8, [2]) == (config["max_batch_size"], config["input"][0]["dims"])
    assert "ensemble_scheduling" not in config


def test_processing_that_names_no_label_is_declared_and_not_met(gated: Callable[..., GatedPipeline]) -> None:
    from modeldyno.errors import UsageError

    with pytest.raises(UsageError, match="whole numbers are needed"):
        gated(Sequence(steps=(SMALL, Processing(operations=(Labels(tensor="p", labels=("a",)),)))))


def test_a_request_that_is_closed_while_it_is_processed_ends_once(gated: Callable[..., GatedPipeline]) -> None:
    pipeline = gated(LABELLED)
    asked = pipeline.ask(rows(1))  # its first step is computed on a thread
    pipeline.close("the model was unloaded")
    pipeline.loop.wait_for_thread()  # what it made of it comes when nobody waits for it any more
    assert 503 == refusal_of(asked).status
    assert (1, 0) == (pipeline.tally.lost, pipeline.service._member_tally.accepted)
    assert [] == pipeline.members["small"].session.batches


def test_models_without_rows_are_asked_one_request_at_a_time() -> None:
    single = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=(2,)),),
        outputs=(TensorSpec(name="p", datatype="FP32", shape=(2,)),),
    )
    members = {"small": GatedMember(single, give_back), "big": GatedMember(single, plus_one)}
    pipeline = GatedPipeline(ENSEMBLE, members)
    first, second = (pipeline.ask(np.array([value, 0], np.float32)) for value in (1, 2))
    for name in ("small", "big", "small", "big"):
        pipeline.end_batch(name)
    assert [[1.5, 0.5], [2.5, 0.5]] == [outputs_of(asked)["p"] for asked in (first, second)]
    assert not pipeline.signature.has_batch_dimension
    assert 0 == pipeline.service.config()["max_batch_size"]
    pipeline.close()


NESTED = Cascade(
    stages=(SMALL, Ensemble(members=(BIG, Member(name="other")), method="average", output="p")),
    thresholds=(0.8,),
    confidence="p",
)
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.lists(st.sampled_from((0.1, 0.9)), min_size=1, max_size=3)),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.sampled_from(("end", "fail")), st.sampled_from(("small", "big", "other"))),
    st.tuples(st.just("wait"), st.integers(1, 8)),
)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_each_request_ends_once_and_the_sums_agree(steps: list[tuple[str, Any]]) -> None:
    limited = gated_deployment(max_queued_rows=3)
    members = {
        "small": GatedMember(SIGNATURE, give_back, limited),
        "big": GatedMember(SIGNATURE, plus_one, limited),
        "other": GatedMember(SIGNATURE, plus_one, limited),
    }
    pipeline = GatedPipeline(NESTED, members, timeout_ns=20 * MS)
    asked: list[tuple[list[float], Asked]] = []
    cancelled: set[int] = set()
    for kind, value in steps:
        if kind == "ask":
            asked.append((value, pipeline.ask(rows(*value))))
        elif kind == "cancel" and value < len(asked) and asked[value][1].status is None and value not in cancelled:
            pipeline.cancel(asked[value][1])
            cancelled.add(value)
        elif kind == "wait":
            pipeline.advance_ns(value * MS)
        elif kind in ("end", "fail") and pipeline.is_computing(value):
            pipeline.end_batch(value, raises if kind == "fail" else None)
    while busy := [name for name in members if pipeline.is_computing(name)]:
        pipeline.end_batch(busy[0])
    pipeline.close()

    assert all((index in cancelled) == (one.status is None) for index, (_, one) in enumerate(asked))
    for values, one in asked:
        if one.status == 200:
            np.testing.assert_allclose(
                [value if value > 0.5 else value + 1 for value in values], firsts(one), rtol=1e-6
            )
    account = pipeline.tally.account()
    statuses = [one.status for _, one in asked]
    assert len(asked) == account.accepted + account.refused
    assert (statuses.count(200), len(cancelled)) == (account.answered, account.cancelled)
    assert (0, 0) == (account.unaccounted, pipeline.service._member_tally.account().unaccounted)


def test_what_has_ended_holds_no_memory_until_it_is_collected(gated: Callable[..., GatedPipeline]) -> None:
    import gc
    import weakref

    pipeline = gated(ENSEMBLE)
    gc.collect()
    gc.disable()
    try:
        answered = pipeline.ask(rows(0.5))
        pipeline.end_batch("small")
        pipeline.end_batch("big")
        expired = pipeline.ask(rows(0.5), timeout_us=1000)
        pipeline.advance_ns(5 * MS)
        pipeline.end_batch("big")
        pipeline.end_batch("small")
        cancelled = pipeline.ask(rows(0.5))
        pipeline.cancel(cancelled)
        pipeline.end_batch("small")
        pipeline.end_batch("big")
        assert [200, 504, None] == [asked.status for asked in (answered, expired, cancelled)]
        held = [weakref.ref(asked.request.inputs["x"]) for asked in (answered, expired, cancelled)]
        del answered, expired, cancelled
        pipeline.ask(rows(0.5))  # the session of the test remembers its last batch
        pipeline.end_batch("small")
        pipeline.end_batch("big")
        assert [True] * 3 == [one() is None for one in held]
    finally:
        gc.enable()
