"""`modeldyno.server.models.expected_outputs`: outputs that are not those of the signature are found."""

import numpy as np
import pytest

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.server.models.expected_outputs import ExpectedOutputs

BATCHED = ExpectedOutputs(
    Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=("batch", 3)),),
    )
)
UNBATCHED = ExpectedOutputs(
    Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=(2,)),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=("found",)),),
    )
)


def test_outputs_as_the_signature_says_have_no_defect() -> None:
    assert BATCHED.find_defect({"y": np.zeros((4, 3), np.float32)}, 4) is None


def test_a_model_without_a_batch_dimension_may_answer_with_any_number_of_elements() -> None:
    assert UNBATCHED.find_defect({"y": np.zeros(7, np.float32)}, 1) is None


@pytest.mark.parametrize(
    ("outputs", "defect"),
    (
        ({}, "the model gave no output 'y'"),
        ([], "the model gave no output 'y'"),
        ({"y": [[0.0] * 3] * 4}, "the model gave no output 'y'"),
        ({"y": np.zeros((4, 3))}, "the model's output 'y' is float64, not float32 as its signature says"),
        ({"y": np.zeros((3, 3), np.float32)}, "the model's output 'y' has shape [3, 3] for a batch of 4 rows"),
        ({"y": np.zeros((), np.float32)}, "the model's output 'y' has shape [] for a batch of 4 rows"),
        ({"y": np.zeros((4, 2), np.float32)}, "the model's output 'y' has shape [4, 2], not that of its signature"),
        ({"y": np.zeros(4, np.float32)}, "the model's output 'y' has shape [4], not that of its signature"),
    ),
)
def test_what_is_wrong_is_told(outputs: dict[str, np.ndarray], defect: str) -> None:
    assert defect == BATCHED.find_defect(outputs, 4)
