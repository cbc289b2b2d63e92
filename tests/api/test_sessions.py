"""The sessions of a bundle are asked its samples before they are used."""

import numpy as np
import pytest

from modeldyno.api.sessions import check_samples
from modeldyno.errors import InputError
from modeldyno.protocols import Tensors
from modeldyno.records.bundle import Sample, Samples
from modeldyno.testing.sessions import FunctionSession, sum_rows, sum_signature

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
