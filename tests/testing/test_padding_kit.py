"""The padding kit tells models that mask from those that do not; what it lets pass is the same answer, always."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from modeldyno.policies.padding import PaddingPlan
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import Batching, Buckets
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.models.merging import merge, own_outputs
from modeldyno.testing.padding_kit import check_padding
from modeldyno.testing.sessions import FunctionSession
from modeldyno.wire.v2_request import InferRequest
from modeldyno.wire.v2_wishes import OutputWish

Outputs = dict[str, NDArray[np.generic]]

SIGNATURE = Signature(
    inputs=(
        TensorSpec(name="values", datatype="FP32", shape=("batch", "seq")),
        TensorSpec(name="mask", datatype="INT64", shape=("batch", "seq")),
    ),
    outputs=(
        TensorSpec(name="mean", datatype="FP32", shape=("batch",)),
        TensorSpec(name="doubled", datatype="FP32", shape=("batch", "seq")),
    ),
)
BATCHING = Batching(max_rows=64, buckets=(Buckets(dimension="seq", sizes=(4, 8, 16)),))


def mean_of_masked(inputs: Tensors) -> Outputs:
    values, mask = np.asarray(inputs["values"], np.float32), np.asarray(inputs["mask"], np.float32)
    mean: NDArray[np.float32] = (values * mask).sum(axis=1) / mask.sum(axis=1)
    return {"mean": mean, "doubled": 2 * values}


def mean_of_all(inputs: Tensors) -> Outputs:
    values = np.asarray(inputs["values"], np.float32)
    mean: NDArray[np.float32] = values.mean(axis=1)
    return {"mean": mean, "doubled": 2 * values}


def sample(seq: int, *, rows: int = 1, seed: int = 0) -> dict[str, NDArray[np.generic]]:
    values = np.random.default_rng(seed).standard_normal((rows, seq)).astype(np.float32)
    return {"values": values, "mask": np.ones((rows, seq), np.int64)}


def test_a_model_that_masks_passes() -> None:
    session = FunctionSession(SIGNATURE, mean_of_masked)
    check_padding(session, BATCHING, [sample(5), sample(7, seed=1)])
    assert max(session.batches) == 3


def test_a_model_that_takes_padding_for_data_is_found_out() -> None:
    with pytest.raises(AssertionError, match="output 'mean' of a request with seq 1 changes when it is padded"):
        check_padding(FunctionSession(SIGNATURE, mean_of_all), BATCHING, [sample(5)])


def test_a_model_that_looks_past_its_own_end_is_found_out() -> None:
    def reversed_in_time(inputs: Tensors) -> Outputs:
        return {**mean_of_masked(inputs), "doubled": np.asarray(inputs["values"], np.float32)[:, ::-1]}

    with pytest.raises(AssertionError, match="output 'doubled'"):
        check_padding(FunctionSession(SIGNATURE, reversed_in_time), BATCHING, [sample(5)])


def test_every_combination_of_two_dimensions_is_tried() -> None:
    square = Signature(
        inputs=(TensorSpec(name="image", datatype="FP32", shape=("batch", "height", "width")),),
        outputs=(TensorSpec(name="sum", datatype="FP32", shape=("batch",)),),
    )
    batching = Batching(
        max_rows=8, buckets=(Buckets(dimension="height", sizes=(2, 4)), Buckets(dimension="width", sizes=(3,)))
    )

    def widest(inputs: Tensors) -> Outputs:
        image = np.asarray(inputs["image"], np.float32)
        return {"sum": image.sum(axis=(1, 2)) + (100 if image.shape[1:] == (4, 3) else 0)}

    images = [{"image": np.ones((1, 2, 2), np.float32)}]
    with pytest.raises(AssertionError, match="height 3, width 1"):
        check_padding(FunctionSession(square, widest), batching, images)


def test_nothing_is_proven_without_a_sample() -> None:
    with pytest.raises(ValueError, match="without a sample"):
        check_padding(FunctionSession(SIGNATURE, mean_of_masked), BATCHING, [])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 3)), min_size=1, max_size=8))
def test_every_padded_answer_is_the_one_that_the_request_gets_alone(sizes: list[tuple[int, int]]) -> None:
    plan = PaddingPlan(SIGNATURE, BATCHING)
    requests = [
        InferRequest(
            inputs := sample(seq, rows=rows, seed=number),
            rows,
            2 * rows * seq,
            tuple(array.shape[1:] for array in inputs.values()),
            (OutputWish("doubled", binary=True), OutputWish("mean", binary=True)),
            None,
        )
        for number, (seq, rows) in enumerate(sizes)
    ]
    groups: dict[object, list[InferRequest]] = {}
    for request in requests:
        groups.setdefault(plan.key(request.batch_key), []).append(request)
    for group in groups.values():
        merged = merge(group, plan)
        real = sum(request.elements for request in group)
        assert merged.elements - merged.padding_elements == real
        assert merged.elements == sum(array.size for array in merged.inputs.values())
        together = mean_of_masked(merged.inputs)
        start = 0
        for request in group:
            rows = slice(start, start := start + request.rows)
            own = own_outputs(together, request, rows, plan)
            alone = mean_of_masked(request.inputs)
            assert ["doubled", "mean"] == list(own)
            assert all(np.allclose(alone[name], own[name], rtol=1e-5) for name in alone)
