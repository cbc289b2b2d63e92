from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.confidence import confidences, is_unsure
from modeldyno.processing.graph import PlannedPipeline, plan_pipeline
from modeldyno.processing.session import PipelineSession
from modeldyno.protocols import Tensors
from modeldyno.records.pipeline import Cascade, Ensemble, Member, Node, Sequence, members_of
from modeldyno.records.processing import ArgMax, Cast, Labels, Processing, Rename, Scale, Select
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.sessions import FunctionSession

Compute = Callable[[Tensors], dict[str, NDArray[Any]]]


def spec(name: str, *shape: int | str, datatype: str = "FP32") -> TensorSpec:
    return TensorSpec(name=name, datatype=datatype, shape=shape)


CLASSIFIER = Signature(
    inputs=(spec("x", "N", 2),), outputs=(spec("label", "N", datatype="INT64"), spec("probabilities", "N", 2))
)


def classifier(bias: float) -> Compute:
    """The first of two numbers is the probability of class 0, but for a bias."""

    def compute(inputs: Tensors) -> dict[str, NDArray[Any]]:
        first = np.clip(np.asarray(inputs["x"][:, 0], np.float32) + np.float32(bias), 0, 1)
        probabilities = np.stack([first, 1 - first], axis=1).astype(np.float32)
        return {"label": probabilities.argmax(axis=1).astype(np.int64), "probabilities": probabilities}

    return compute


def session_of(
    graph: Node, members: Mapping[str, tuple[Signature, Compute]]
) -> tuple[PipelineSession, dict[str, FunctionSession]]:
    sessions = {name: FunctionSession(signature, compute) for name, (signature, compute) in members.items()}
    plan = plan_pipeline(graph, {name: signature for name, (signature, _) in members.items()})
    return PipelineSession(plan, sessions), sessions


TWO = {"small": (CLASSIFIER, classifier(0.0)), "big": (CLASSIFIER, classifier(0.3))}
SMALL, BIG = Member(name="small"), Member(name="big")


def rows_of(*firsts: float) -> dict[str, NDArray[np.float32]]:
    return {"x": np.array([[first, 0] for first in firsts], np.float32)}


def test_a_cascade_passes_on_rows_and_puts_the_answers_in_order() -> None:
    graph = Cascade(stages=(SMALL, BIG), thresholds=(0.8,), confidence="probabilities")
    session, members = session_of(graph, TWO)
    made = session.run(rows_of(0.9, 0.45, 0.1, 0.3))
    assert [0, 1, 0, 1] == made["cascade_stage"].tolist()
    assert np.int32 == made["cascade_stage"].dtype
    assert [0, 0, 1, 0] == made["label"].tolist()
    np.testing.assert_allclose([0.9, 0.75, 0.1, 0.6], made["probabilities"][:, 0], rtol=1e-6)
    assert [4] == members["small"].batches
    assert [2] == members["big"].batches


@given(
    firsts=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=12),
    thresholds=st.tuples(st.floats(0, 1.1), st.floats(0, 1.1)),
    measure=st.sampled_from(("highest", "margin")),
)
def test_each_row_is_answered_by_the_first_stage_that_is_sure(
    firsts: list[float], thresholds: tuple[float, float], measure: Any
) -> None:
    members = {**TWO, "huge": (CLASSIFIER, classifier(-0.2))}
    graph = Cascade(
        stages=(SMALL, BIG, Member(name="huge")), thresholds=thresholds, confidence="probabilities", measure=measure
    )
    session, _ = session_of(graph, members)
    inputs = rows_of(*firsts)
    inputs["x"].flags.writeable = False
    made = session.run(inputs)
    alone = [compute(inputs) for _, compute in members.values()]
    for row in range(len(firsts)):
        sure = [
            not is_unsure(confidences(one["probabilities"][row : row + 1], measure), threshold)[0]
            for one, threshold in zip(alone, thresholds, strict=False)
        ]
        expected = [*sure, True].index(True)
        assert expected == made["cascade_stage"][row]
        np.testing.assert_array_equal(alone[expected]["probabilities"][row], made["probabilities"][row])
        assert alone[expected]["label"][row] == made["label"][row]


def test_nobody_is_asked_about_rows_that_are_sure() -> None:
    graph = Cascade(stages=(SMALL, BIG), thresholds=(0.8,), confidence="probabilities", tells_stage=False)
    session, members = session_of(graph, TWO)
    assert {"label", "probabilities"} == set(session.run(rows_of(0.99, 0.01)))
    assert [] == members["big"].batches


def test_a_stage_that_is_not_a_number_is_never_sure() -> None:
    nothing = np.array([[np.nan, 1], [np.inf, np.inf], [0.2, 0.8]])
    assert [True, False, False] == is_unsure(confidences(nothing, "highest"), 0.5).tolist()
    assert [True, True, False] == is_unsure(confidences(nothing, "margin"), 0.5).tolist()


def test_what_a_model_gave_is_not_written_over() -> None:
    given_out: list[dict[str, NDArray[Any]]] = []

    def remember(inputs: Tensors) -> dict[str, NDArray[Any]]:
        given_out.append(classifier(0.0)(inputs))
        for array in given_out[-1].values():
            array.flags.writeable = False
        return given_out[-1]

    graph = Cascade(stages=(SMALL, BIG), thresholds=(0.8,), confidence="probabilities")
    session, _ = session_of(graph, {**TWO, "small": (CLASSIFIER, remember)})
    assert [0, 0] == session.run(rows_of(0.9, 0.45))["label"].tolist()


def test_an_ensemble_averages_with_weights() -> None:
    graph = Ensemble(members=(SMALL, BIG), method="average", output="probabilities", weights=(3, 1))
    session, _ = session_of(graph, TWO)
    made = session.run(rows_of(0.2, 0.6))
    assert ["probabilities"] == list(made)
    np.testing.assert_allclose([0.275, 0.675], made["probabilities"][:, 0], rtol=1e-6)
    assert np.float32 == made["probabilities"].dtype


LABELLER = Signature(inputs=(spec("x", "n", 2),), outputs=(spec("word", "n", datatype="BYTES"),))


def says(*words: bytes) -> Compute:
    return lambda _: {"word": np.array(words, object)}


@pytest.mark.parametrize(
    ("weights", "expected"),
    (((), [b"a", b"b", b"c"]), ((1, 1, 1), [b"a", b"b", b"c"]), ((1, 1, 5), [b"c", b"c", b"c"])),
)
def test_an_ensemble_votes_and_the_first_member_decides_ties(weights: tuple[float, ...], expected: list[bytes]) -> None:
    graph = Ensemble(members=tuple(Member(name=name) for name in "abc"), method="vote", output="word", weights=weights)
    session, _ = session_of(
        graph,
        {
            "a": (LABELLER, says(b"a", b"b", b"c")),
            "b": (LABELLER, says(b"b", b"b", b"a")),
            "c": (LABELLER, says(b"c", b"c", b"c")),
        },
    )
    assert expected == session.run(rows_of(1, 2, 3))["word"].tolist()


def test_a_sequence_feeds_what_comes_out_into_the_next_step() -> None:
    graph = Sequence(
        steps=(
            Processing(
                inputs=(spec("raw", "batch", 2, datatype="UINT8"),),
                operations=(
                    Cast(tensor="raw", datatype="FP32"),
                    Scale(tensor="raw", multiply=(1 / 100,)),
                    Rename(names={"raw": "x"}),
                ),
            ),
            SMALL,
            Processing(
                operations=(
                    ArgMax(tensor="probabilities", output="place"),
                    Labels(tensor="place", labels=("yes", "no"), output="word"),
                    Select(tensors=("word",)),
                )
            ),
        )
    )
    session, _ = session_of(graph, TWO)
    assert ["raw"] == [one.name for one in session.signature.inputs]
    made = session.run({"raw": np.array([[90, 0], [10, 0]], np.uint8)})
    assert [b"yes", b"no"] == made["word"].tolist()


def test_pipelines_nest() -> None:
    inner = Ensemble(members=(SMALL, BIG), method="average", output="probabilities")
    named = Sequence(steps=(inner, Processing(operations=(ArgMax(tensor="probabilities", output="label"),))))
    graph = Cascade(stages=(SMALL, named), thresholds=(0.8,), confidence="probabilities")
    session, members = session_of(graph, TWO)
    made = session.run(rows_of(0.9, 0.4))
    assert [0, 0] == made["label"].tolist()
    assert [2, 1] == members["small"].batches
    assert ("small", "big") == members_of(graph)


def test_dimensions_keep_the_names_of_what_goes_in() -> None:
    text = Signature(
        inputs=(spec("ids", "n", "length", datatype="INT64"),),
        outputs=(spec("states", "n", "length", 8), spec("found", "n", "hits")),
    )
    plan = plan_pipeline(Member(name="text"), {"text": text})
    assert ("batch", "length") == plan.signature.inputs[0].shape
    assert [("batch", "length", 8), ("batch", "text.hits")] == [one.shape for one in plan.signature.outputs]
    assert plan.signature.has_batch_dimension


def test_stages_may_take_different_inputs() -> None:
    image = Signature(inputs=(spec("x", "b", 2), spec("image", "b", 4)), outputs=CLASSIFIER.outputs)
    renamed = Signature(
        inputs=image.inputs,
        outputs=tuple(spec(one.name, "b", *one.shape[1:], datatype=one.datatype) for one in image.outputs),
    )
    graph = Cascade(stages=(SMALL, BIG), thresholds=(0.8,), confidence="probabilities")
    session, members = session_of(graph, {**TWO, "big": (renamed, classifier(0.3))})
    assert [("x", ("batch", 2)), ("image", ("batch", 4))] == [(one.name, one.shape) for one in session.signature.inputs]
    made = session.run({**rows_of(0.9, 0.45), "image": np.zeros((2, 4), np.float32)})
    assert [0, 1] == made["cascade_stage"].tolist()
    assert [1] == members["big"].batches


def test_a_refused_value_is_an_error_of_the_data() -> None:
    graph = Sequence(steps=(SMALL, Processing(operations=(Labels(tensor="label", labels=("only",)),))))
    session, _ = session_of(graph, TWO)
    with pytest.raises(DataError, match="no label"):
        session.run(rows_of(0.1))


OTHER = Signature(inputs=(spec("y", "n", 3),), outputs=(spec("z", "n", 3),))
FIXED = Signature(inputs=(spec("x", 1, 2),), outputs=CLASSIFIER.outputs)
DOUBLE = Signature(inputs=(spec("x", "n", 2, datatype="FP64"),), outputs=CLASSIFIER.outputs)
MEMBERS = {"small": CLASSIFIER, "big": CLASSIFIER, "other": OTHER, "fixed": FIXED, "double": DOUBLE}
WRONG: list[tuple[Node, str, str]] = [
    (Sequence(steps=()), "pipeline", "needs a step"),
    (Sequence(steps=(Processing(operations=()),)), "pipeline, step 0", "not known what goes into"),
    (Sequence(steps=(SMALL, Member(name="other"))), "pipeline, step 1", "takes an input 'y' FP32"),
    (Ensemble(members=(SMALL,), method="vote", output="label"), "pipeline", "at least two"),
    (Ensemble(members=(SMALL, BIG), method="vote", output="probabilities"), "pipeline", "no vote of 'probabilities'"),
    (Ensemble(members=(SMALL, BIG), method="average", output="label"), "pipeline", "no average of 'label'"),
    (Ensemble(members=(SMALL, BIG), method="vote", output="nothing"), "pipeline", "no vote of 'nothing'"),
    (Ensemble(members=(SMALL, BIG), method="vote", output="label", weights=(1,)), "pipeline", "2 numbers above 0"),
    (Ensemble(members=(SMALL, BIG), method="vote", output="label", weights=(1, 0)), "pipeline", "2 numbers above 0"),
    (Ensemble(members=(SMALL, Member(name="double")), method="vote", output="label"), "pipeline, part 1", "as FP64"),
    (Ensemble(members=(SMALL, Member(name="fixed")), method="vote", output="label"), "pipeline, part 1", "[1, 2]"),
    (Cascade(stages=(SMALL, BIG), thresholds=(), confidence="probabilities"), "pipeline", "not 1 finite"),
    (Cascade(stages=(SMALL, BIG), thresholds=(float("nan"),), confidence="probabilities"), "pipeline", "finite"),
    (Cascade(stages=(SMALL, BIG), thresholds=(0.5,), confidence="label"), "pipeline, part 0", "how sure"),
    (
        Cascade(stages=(SMALL, Member(name="other")), thresholds=(0.5,), confidence="probabilities"),
        "pipeline",
        "common",
    ),
    (
        Sequence(steps=(Cascade(stages=(SMALL, BIG), thresholds=(0.5, 0.5), confidence="probabilities"),)),
        "pipeline, step 0",
        "1 finite",
    ),
]


@pytest.mark.parametrize(("graph", "place", "reason"), WRONG)
def test_parts_that_do_not_fit_are_refused_with_their_place(graph: Node, place: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_pipeline(graph, MEMBERS)
    assert caught.value.what.startswith(place)
    assert reason in f"{caught.value.what} {caught.value.why}"


def test_closing_a_pipeline_closes_its_models_if_it_owns_them() -> None:
    for owns in (True, False):
        inner = FunctionSession(CLASSIFIER, classifier(0))
        plan: PlannedPipeline = plan_pipeline(SMALL, {"small": CLASSIFIER})
        PipelineSession(plan, {"small": inner}, owns=owns).close()
        assert owns == inner.is_closed
