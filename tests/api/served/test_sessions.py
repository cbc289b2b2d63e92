"""The sessions of a bundle are asked its samples before they are used."""

import msgspec
import numpy as np
import pytest

from modeldyno.api.served.sessions import check_samples, is_storable, tensor_of, values_of
from modeldyno.bfloat16 import from_numbers
from modeldyno.errors import InputError
from modeldyno.protocols import Tensors
from modeldyno.records.bundle import Sample, Samples
from modeldyno.testing.sessions import FunctionSession, echo_signature, sum_rows, sum_signature

SAMPLES = Samples(
    samples=(Sample(inputs={"x": [[1, 2, 3, 4]]}, outputs={"sum": [10.0]}),),
    relative_tolerance=1e-3,
    absolute_tolerance=1e-3,
)


def fail(inputs: Tensors) -> dict[str, np.ndarray]:
    raise RuntimeError("an operator is missing")


def test_a_session_that_answers_as_expected_is_taken() -> None:
    session = FunctionSession(sum_signature(), sum_rows)
    check_samples(session, SAMPLES, source="sums")
    assert [1] == session.batches


BRAIN = echo_signature("BF16", ("batch", 2))


def test_bf16_is_stored_as_the_numbers_it_stands_for() -> None:
    (spec,) = BRAIN.inputs
    tensor = from_numbers(np.array([[1.0, -2.5], [0.1, 3e38]]))
    stored = values_of(tensor, spec)

    assert [1.0, -2.5] == stored[0]
    np.testing.assert_array_equal(tensor, tensor_of(msgspec.json.decode(msgspec.json.encode(stored)), spec))
    assert is_storable(tensor)
    assert not is_storable(from_numbers(np.array([np.inf])))


@pytest.mark.parametrize(("answer", "is_right"), ((1.0, True), (1.0078125, True), (1.03, False)))
def test_a_neighbour_of_the_expected_bf16_is_as_right(answer: float, *, is_right: bool) -> None:
    sample = Sample(inputs={"x": [[1.0, 1.0]]}, outputs={"y": [[1.0, 1.0]]})
    samples = Samples(samples=(sample,), relative_tolerance=1e-4, absolute_tolerance=1e-4)
    session = FunctionSession(BRAIN, lambda _: {"y": from_numbers(np.array([[1.0, answer]]))})
    if is_right:
        check_samples(session, samples, source="brain")
        return
    with pytest.raises(InputError, match="output 'y' of sample 0 is not what it was"):
        check_samples(session, samples, source="brain")


def test_a_session_that_raises_is_an_error_of_its_bundle_not_of_ours() -> None:
    with pytest.raises(InputError, match="sums: sample 0 cannot be computed: RuntimeError: an operator is missing"):
        check_samples(FunctionSession(sum_signature(), fail), SAMPLES, source="sums")


@pytest.mark.parametrize(
    "sample", (Sample(inputs={}, outputs={"sum": [1.0]}), Sample(inputs={"x": [[1, 2, 3, 4]]}, outputs={}))
)
def test_samples_that_are_not_of_this_model_are_an_error_of_its_bundle(sample: Sample) -> None:
    samples = Samples(samples=(sample,), relative_tolerance=0, absolute_tolerance=0)
    with pytest.raises(InputError, match="cannot be computed: KeyError"):
        check_samples(FunctionSession(sum_signature(), sum_rows), samples, source="sums")
