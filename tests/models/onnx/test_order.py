import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.models.onnx.order import reordered
from modeldyno.processing.operations import plan_operations
from modeldyno.records.processing import Cast, Normalise, Operation, Scale, Transpose
from modeldyno.records.signature import TensorSpec

SPEC = TensorSpec(name="x", datatype="FP32", shape=("batch", 2, 3, 4))
ROWS = np.random.default_rng(0).normal(size=(5, 2, 3, 4)).astype(np.float32)
SIZES = {1: 2, 2: 3, 3: 4}


@st.composite
def steps(draw: st.DrawFn) -> list[Operation]:
    """Scalings and layouts one after the other, each fitting what is there."""
    made: list[Operation] = []
    shape = [2, 3, 4]
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(("scale", "normalise", "cast", "transpose")))
        axis = draw(st.integers(1, 3))
        size = draw(st.sampled_from((1, shape[axis - 1])))
        numbers = tuple(draw(st.lists(st.integers(1, 5).map(float), min_size=size, max_size=size)))
        if kind == "scale":
            made.append(Scale(tensor="x", multiply=numbers, add=(0.5,), axis=draw(st.sampled_from((axis, axis - 4)))))
        elif kind == "normalise":
            made.append(Normalise(tensor="x", mean=(1.5,), std=numbers, axis=axis))
        elif kind == "cast":
            made.append(Cast(tensor="x", datatype=draw(st.sampled_from(("FP32", "FP64")))))
        else:
            order = draw(st.permutations((1, 2, 3)))
            shape = [shape[place - 1] for place in order]
            made.append(Transpose(tensor="x", order=(0, *order)))
    return made


@given(steps())
def test_reordered_operations_compute_the_same(operations: list[Operation]) -> None:
    specs = {"x": SPEC}
    expected = plan_operations(operations, specs, place="here")
    given_ = plan_operations(reordered(operations, specs, keeps_all=True), specs, place="here")
    assert expected.specs == given_.specs
    np.testing.assert_allclose(expected.apply({"x": ROWS})["x"], given_.apply({"x": ROWS})["x"], rtol=1e-3, atol=1e-3)


IMAGES = {"image": TensorSpec(name="image", datatype="UINT8", shape=("batch", 8, 8, 3))}
USUAL: tuple[Operation, ...] = (
    Cast(tensor="image", datatype="FP32"),
    Normalise(tensor="image", mean=(0,), std=(255,)),
    Normalise(tensor="image", mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.4)),
    Transpose(tensor="image", output="x", order=(0, 3, 1, 2)),
)


def test_bytes_are_turned_first_and_scaled_once() -> None:
    turn, cast, scale = reordered(USUAL, IMAGES, keeps_all=False)
    assert Transpose(tensor="image", output="x", order=(0, 3, 1, 2)) == turn
    assert Cast(tensor="x", datatype="FP32") == cast
    assert isinstance(scale, Scale)
    assert ("x", 1) == (scale.tensor, scale.axis)
    np.testing.assert_allclose([1 / 25.5, 1 / 51, 1 / 102], scale.multiply)
    np.testing.assert_allclose([-4, -2.5, -1.5], scale.add)


def test_what_is_still_read_stays_as_it_was() -> None:
    used = (*USUAL, Scale(tensor="image", output="more", multiply=(2,)))
    assert used[0] == reordered(used, IMAGES, keeps_all=False)[0]
    assert USUAL[0] == reordered(USUAL, IMAGES, keeps_all=True)[0]
