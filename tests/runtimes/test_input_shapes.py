"""Shapes are held against the signature, sizes of the same name against one another."""

import numpy as np
import pytest

from modeldyno.errors import ToolError
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.runtimes.input_shapes import InputShapes

SHAPES = InputShapes(
    Signature(
        inputs=(
            TensorSpec(name="ids", datatype="INT64", shape=("batch", "sequence")),
            TensorSpec(name="mask", datatype="INT64", shape=("batch", "sequence")),
            TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),
        ),
        outputs=(),
    )
)


def require(ids: tuple[int, ...], mask: tuple[int, ...], x: tuple[int, ...]) -> None:
    SHAPES.require({"ids": np.zeros(ids), "mask": np.zeros(mask), "x": np.zeros(x)}, "nothing was computed")


def test_any_size_may_stand_for_a_name_as_long_as_it_is_the_same() -> None:
    require((2, 7), (2, 7), (2, 4))
    require((5, 1), (5, 1), (5, 4))


@pytest.mark.parametrize(
    ("shapes", "said"),
    (
        (((2, 7), (2, 7), (2, 5)), "'x' has the shape [2, 5], not ['batch', 4]"),
        (((2, 7), (2, 7), (2, 1)), "'x' has the shape [2, 1], not ['batch', 4]"),
        (((2, 7), (2, 7), (3, 4)), "'x' has the shape [3, 4], not ['batch', 4]"),
        (((2, 7), (2, 6), (2, 4)), "'mask' has the shape [2, 6], not ['batch', 'sequence']"),
        (((2, 7, 1), (2, 7), (2, 4)), "'ids' has the shape [2, 7, 1], not ['batch', 'sequence']"),
    ),
)
def test_others_are_refused_with_both_shapes(shapes: tuple[tuple[int, ...], ...], said: str) -> None:
    with pytest.raises(ToolError) as caught:
        require(*shapes)
    assert ("nothing was computed", said) == (caught.value.what, caught.value.why)
