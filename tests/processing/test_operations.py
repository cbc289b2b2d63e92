import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from modeldyno.bfloat16 import from_numbers
from modeldyno.errors import DataError, UsageError
from modeldyno.processing.operations import plan_operations
from modeldyno.records import processing as op
from modeldyno.records.processing import Operation
from modeldyno.records.signature import DATATYPES, TensorSpec

Arrays = dict[str, NDArray[Any]]
FLOATS = ("FP16", "FP32", "FP64")
WHOLES = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
ROWS = 3


def run(arrays: Arrays, *operations: Operation, shapes: dict[str, tuple[int | str, ...]] | None = None) -> Arrays:
    return dict(planned(arrays, *operations, shapes=shapes)(arrays))


def planned(
    arrays: Arrays, *operations: Operation, shapes: dict[str, tuple[int | str, ...]] | None = None
) -> Callable[[Arrays], Arrays]:
    """The operations, for tensors whose rows vary unless told otherwise; what comes out is held against the specs."""
    specs = {
        name: TensorSpec(
            name=name, datatype=datatype_of(array), shape=(shapes or {}).get(name, ("batch", *array.shape[1:]))
        )
        for name, array in arrays.items()
    }
    step = plan_operations(operations, specs, place="here")

    def apply(given: Arrays) -> Arrays:
        made = step.apply(given)
        assert list(step.specs) == list(made)
        for name, array in made.items():
            spec = step.specs[name]
            assert isinstance(array, np.ndarray)
            assert name == spec.name
            assert np.dtype(DATATYPES[spec.datatype]) == array.dtype
            assert len(spec.shape) == array.ndim
            assert all(size == found for size, found in zip(spec.shape, array.shape, strict=True) if size != "batch")
        return made

    return apply


def datatype_of(array: NDArray[np.generic]) -> str:
    return next(name for name, dtype in DATATYPES.items() if np.dtype(dtype) == array.dtype)


def tensors(datatypes: tuple[str, ...]) -> st.SearchStrategy[NDArray[np.generic]]:
    shape = st.lists(st.integers(1, 4), min_size=1, max_size=3)
    return st.tuples(st.sampled_from(datatypes), shape).flatmap(
        lambda drawn: hnp.arrays(np.dtype(DATATYPES[drawn[0]]), (ROWS, *drawn[1]))
    )


def finite(*, low: float = -100, high: float = 100) -> st.SearchStrategy[float]:
    return st.floats(low, high, width=16)


@st.composite
def single_tensor_operations(draw: st.DrawFn) -> tuple[NDArray[np.generic], Operation]:
    """Any tensor, and any operation on it that may be declared."""
    kind = draw(st.sampled_from(("cast", "scale", "normalise", "clip", "impute", "threshold", "softmax", "arg_max",
                                 "top_k", "transpose", "reshape")))  # fmt: skip
    floats = kind in ("scale", "normalise", "impute", "softmax")
    array = draw(tensors(FLOATS if floats else FLOATS + WHOLES))
    axis = draw(st.integers(1, array.ndim - 1))
    channels = st.one_of(st.just(1), st.just(array.shape[axis])).flatmap(
        lambda count: st.lists(finite(), min_size=count, max_size=count).map(tuple)
    )
    positive = channels.map(lambda values: tuple(abs(value) + 1 for value in values))
    name = draw(st.sampled_from(("", "y")))
    table: dict[str, Callable[[], Operation]] = {
        "cast": lambda: op.Cast(tensor="x", output=name, datatype=draw(st.sampled_from((*FLOATS, *WHOLES, "BOOL")))),
        "scale": lambda: op.Scale(tensor="x", output=name, multiply=draw(channels), add=draw(channels), axis=axis),
        "normalise": lambda: op.Normalise(tensor="x", output=name, mean=draw(channels), std=draw(positive), axis=axis),
        "clip": lambda: op.Clip(tensor="x", output=name, low=0, high=draw(st.integers(0, 100))),
        "impute": lambda: op.Impute(tensor="x", output=name, values=draw(channels), axis=axis),
        "threshold": lambda: op.Threshold(tensor="x", output=name, at=draw(finite())),
        "softmax": lambda: op.Softmax(tensor="x", output=name, axis=axis),
        "arg_max": lambda: op.ArgMax(tensor="x", output=name, axis=axis - array.ndim),
        "top_k": lambda: op.TopK(tensor="x", k=draw(st.integers(1, array.shape[axis])), axis=axis),
        "transpose": lambda: op.Transpose(
            tensor="x", output=name, order=(0, *draw(st.permutations(range(1, array.ndim))))
        ),
        "reshape": lambda: op.Reshape(tensor="x", output=name, shape=("batch", 1, array.size // ROWS)),
    }
    return array, table[kind]()


@given(single_tensor_operations())
def test_what_comes_out_has_the_datatype_and_shape_that_were_inferred(
    drawn: tuple[NDArray[np.generic], Operation],
) -> None:
    array, operation = drawn
    try:
        made = run({"x": array}, operation)
    except DataError:
        reject()
    assert made


@given(single_tensor_operations())
def test_a_row_alone_gives_what_it_gives_among_others(drawn: tuple[NDArray[np.generic], Operation]) -> None:
    array, operation = drawn
    compute = planned({"x": array}, operation)
    try:
        together = compute({"x": array})
    except DataError:
        reject()
    for row in range(ROWS):
        alone = compute({"x": array[row : row + 1]})
        for name, values in alone.items():
            np.testing.assert_array_equal(together[name][row : row + 1], values)


@given(tensors(FLOATS + WHOLES))
def test_operations_leave_what_they_were_given_as_it_was(array: NDArray[np.generic]) -> None:
    array.flags.writeable = False
    before = array.copy()
    run({"x": array}, op.Clip(tensor="x", low=0, high=1), op.ArgMax(tensor="x", output="y"))
    np.testing.assert_array_equal(before, array)


def onnx_outputs(operator: str, x: NDArray[np.generic], outputs: list[int], **attributes: object) -> list[np.ndarray]:
    """What ONNX Runtime makes of a tensor; `outputs` are the types of its outputs."""
    import onnxruntime
    from onnx import TensorProto, helper

    names = [f"y{number}" for number in range(len(outputs))]
    inputs, extra = ["x"], []
    if operator == "TopK":
        extra = [helper.make_tensor("k", TensorProto.INT64, [1], [attributes.pop("k")])]
        inputs.append("k")
    element = helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, names, **attributes)],
        "one",
        [helper.make_tensor_value_info("x", element, x.shape)],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(names, outputs, strict=True)],
        extra,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": x}))


RANDOM = np.random.default_rng(0).standard_normal((ROWS, 4, 5)).astype(np.float32)
TIES = np.array([[1, 3, 3, 0, 3], [2, 2, 1, 1, 2], [0, 0, 0, 0, 0]], np.float32)


@pytest.mark.parametrize("axis", (1, 2, -1))
def test_softmax_is_that_of_onnx(axis: int) -> None:
    (expected,) = onnx_outputs("Softmax", RANDOM, [1], axis=axis)
    np.testing.assert_allclose(expected, run({"x": RANDOM}, op.Softmax(tensor="x", axis=axis))["x"], rtol=1e-6)


@pytest.mark.parametrize("array", (RANDOM, TIES))
def test_arg_max_is_that_of_onnx(array: NDArray[np.generic]) -> None:
    (expected,) = onnx_outputs("ArgMax", array, [7], axis=-1, keepdims=0)
    np.testing.assert_array_equal(expected, run({"x": array}, op.ArgMax(tensor="x"))["x"])


@pytest.mark.parametrize("array", (RANDOM, TIES))
def test_top_k_is_that_of_onnx(array: NDArray[np.generic]) -> None:
    values, indices = onnx_outputs("TopK", array, [1, 7], k=3, axis=-1)
    made = run({"x": array}, op.TopK(tensor="x", k=3))
    np.testing.assert_array_equal(values, made["values"])
    np.testing.assert_array_equal(indices, made["indices"])


def test_transpose_is_that_of_onnx() -> None:
    (expected,) = onnx_outputs("Transpose", RANDOM, [1], perm=[0, 2, 1])
    np.testing.assert_array_equal(expected, run({"x": RANDOM}, op.Transpose(tensor="x", order=(0, 2, 1)))["x"])


@pytest.mark.parametrize(("target", "number"), (("INT32", 6), ("FP16", 10), ("BOOL", 9), ("UINT8", 2)))
def test_cast_is_that_of_onnx(target: str, number: int) -> None:
    array = np.array([[0.0, 1.9, 2.5], [100.49, 0.1, 255.0]], np.float32)
    (expected,) = onnx_outputs("Cast", array, [number], to=number)
    np.testing.assert_array_equal(expected, run({"x": array}, op.Cast(tensor="x", datatype=target))["x"])


def test_cast_to_bf16_and_back_is_that_of_onnx_too() -> None:
    import onnxruntime
    from onnx import helper

    array = np.array([[0.0, 1.00390625, -2.7], [1e-40, 3.4e38, np.inf]], np.float32)
    nodes = [helper.make_node("Cast", ["x"], ["half"], to=16), helper.make_node("Cast", ["half"], ["y"], to=1)]
    ends = (helper.make_tensor_value_info(name, 1, [2, 3]) for name in "xy")
    graph = helper.make_graph(nodes, "twice", *([end] for end in ends))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": array})
    made = run({"x": array}, op.Cast(tensor="x", datatype="BF16"), op.Cast(tensor="x", datatype="FP32"))
    np.testing.assert_array_equal(expected, made["x"])


def test_bf16_is_cast_to_whole_numbers_with_the_same_care() -> None:
    values = from_numbers(np.array([[1.75, 200.0]]))
    assert [[1, 200]] == run({"x": values}, op.Cast(tensor="x", datatype="UINT8"))["x"].tolist()
    with pytest.raises(DataError, match="no UINT8"):
        run({"x": from_numbers(np.array([[256.0]]))}, op.Cast(tensor="x", datatype="UINT8"))


def test_bf16_is_moved_but_not_computed_with() -> None:
    values = from_numbers(np.arange(6.0).reshape(1, 2, 3))
    made = run({"x": values}, op.Transpose(tensor="x", order=(0, 2, 1)), op.Reshape(tensor="x", shape=("batch", 6)))
    np.testing.assert_array_equal(from_numbers(np.array([[0, 3, 1, 4, 2, 5]])), made["x"])
    with pytest.raises(UsageError, match="is BF16, and floats are needed") as caught:
        run({"x": values}, op.Softmax(tensor="x"))
    assert "cast" in caught.value.hint


@pytest.mark.parametrize("value", (np.nan, np.inf, -1.0, 256.0))
def test_a_number_that_does_not_fit_is_refused(value: float) -> None:
    with pytest.raises(DataError, match="no UINT8"):
        run({"x": np.array([[value]], np.float32)}, op.Cast(tensor="x", datatype="UINT8"))


def test_the_ends_of_64_bits_are_known_exactly() -> None:
    lowest = np.array([[-(2.0**63)]], np.float64)
    assert [[-(2**63)]] == run({"x": lowest}, op.Cast(tensor="x", datatype="INT64"))["x"].tolist()
    with pytest.raises(DataError):
        run({"x": -lowest}, op.Cast(tensor="x", datatype="INT64"))
    with pytest.raises(DataError):
        run({"x": np.array([[2**63]], np.uint64)}, op.Cast(tensor="x", datatype="INT64"))


def test_each_channel_is_scaled_by_its_own_numbers() -> None:
    image = np.ones((1, 2, 2, 3), np.float32)
    made = run({"x": image}, op.Scale(tensor="x", multiply=(1, 2, 3), add=(10,), axis=-1))["x"]
    assert [11.0, 12.0, 13.0] == made[0, 1, 1].tolist()


def test_missing_numbers_are_imputed_column_by_column() -> None:
    table = np.array([[np.nan, 1], [2, np.nan]], np.float64)
    assert [[7, 1], [2, 8]] == run({"x": table}, op.Impute(tensor="x", values=(7, 8)))["x"].tolist()


def test_nan_is_not_over_a_threshold_and_stays_when_clipped() -> None:
    array = np.array([[np.nan, 0.5, 0.4]], np.float32)
    assert [[False, True, False]] == run({"x": array}, op.Threshold(tensor="x", at=0.5))["x"].tolist()
    assert np.isnan(run({"x": array}, op.Clip(tensor="x", low=0))["x"][0, 0])


def test_numbers_become_texts() -> None:
    made = run({"x": np.array([2, 0], np.int64)}, op.Labels(tensor="x", labels=("no", "perhaps", "yes"), output="word"))
    assert [b"yes", b"no"] == made["word"].tolist()


@pytest.mark.parametrize("number", (-1, 3))
def test_a_number_without_a_text_is_refused(number: int) -> None:
    with pytest.raises(DataError, match="no label"):
        run({"x": np.array([number], np.int64)}, op.Labels(tensor="x", labels=("a", "b", "c")))


def test_fields_of_a_table_become_a_matrix_and_fields_again() -> None:
    fields: Arrays = {name: np.array([number, number + 10], np.float32) for number, name in enumerate("abc")}
    fields["b"] = fields["b"].reshape(2, 1)
    joined = run(fields, op.JoinColumns(tensors=("a", "b", "c"), output="table"))
    assert [[0, 1, 2], [10, 11, 12]] == joined["table"].tolist()
    again = run(joined, op.SplitColumns(tensor="table", outputs=("a", "b", "c")))
    assert {"a": [0, 10], "b": [1, 11], "c": [2, 12]} == {name: array.tolist() for name, array in again.items()}


def test_tensors_stand_side_by_side() -> None:
    made = run(
        {"a": np.ones((2, 1), np.float32), "b": np.zeros((2, 2), np.float32)},
        op.Concatenate(tensors=("b", "a"), output="both"),
    )
    assert [[0, 0, 1]] * 2 == made["both"].tolist()


def test_sizes_that_vary_are_added_by_name() -> None:
    specs = {name: TensorSpec(name=name, datatype="FP32", shape=("batch", name)) for name in "ab"}
    step = plan_operations([op.Concatenate(tensors=("a", "b"), output="c")], specs, place="here")
    assert ("batch", "a+b") == step.specs["c"].shape


def test_select_and_rename_keep_order_and_names() -> None:
    arrays: Arrays = {name: np.zeros((1, 1), np.float32) for name in "abc"}
    made = run(arrays, op.Select(tensors=("c", "a")), op.Rename(names={"c": "a", "a": "c"}))
    assert ["a", "c"] == list(made)


SPECS = {
    "x": TensorSpec(name="x", datatype="FP32", shape=("batch", 4)),
    "i": TensorSpec(name="i", datatype="INT64", shape=("batch",)),
    "t": TensorSpec(name="t", datatype="BYTES", shape=("batch", "words")),
}
WRONG: list[tuple[Operation, str]] = [
    (op.Cast(tensor="nothing", datatype="FP32"), "no tensor 'nothing'"),
    (op.Cast(tensor="t", datatype="FP32"), "BYTES"),
    (op.Cast(tensor="x", datatype="BYTES"), "cast to 'BYTES'"),
    (op.Scale(tensor="i"), "floats are needed"),
    (op.Scale(tensor="x", multiply=(1, 2, 3)), "3 values"),
    (op.Scale(tensor="x", multiply=(float("nan"),)), "finite"),
    (op.Scale(tensor="x", multiply=(1e300,)), "finite numbers of FP32"),
    (op.Scale(tensor="x", multiply=()), "one or more"),
    (op.Scale(tensor="x", multiply=(1, 2, 3, 4), axis=0), "rows"),
    (op.Normalise(tensor="x", mean=(0,), std=(0,)), "above 0"),
    (op.Normalise(tensor="x", mean=(0,), std=(1e-60,)), "above 0"),
    (op.Clip(tensor="x"), "low, high or both"),
    (op.Clip(tensor="x", low=2, high=1), "above high"),
    (op.Clip(tensor="i", low=0.5), "no INT64"),
    (op.Impute(tensor="i", values=(0,)), "floats"),
    (op.Threshold(tensor="t", at=0), "numbers are needed"),
    (op.Threshold(tensor="x", at=float("inf")), "finite"),
    (op.Transpose(tensor="x", order=(1, 0)), "moves the rows"),
    (op.Transpose(tensor="x", order=(0, 0)), "once"),
    (op.Reshape(tensor="x", shape=("batch", 5)), "does not always fit"),
    (op.Reshape(tensor="x", shape=(4, "batch")), "moves the rows"),
    (op.Reshape(tensor="x", shape=("batch", -1)), "below 1"),
    (op.Softmax(tensor="x", axis=0), "that of the rows"),
    (op.Softmax(tensor="x", axis=2), "no axis 2"),
    (op.ArgMax(tensor="i"), "that of the rows"),
    (op.TopK(tensor="x", k=5), "k 5"),
    (op.TopK(tensor="x", k=1, values="i"), "already"),
    (op.TopK(tensor="x", k=1, values="v", indices="v"), "already"),
    (op.Labels(tensor="x", labels=("a",)), "whole numbers"),
    (op.Labels(tensor="i", labels=()), "no labels"),
    (op.Labels(tensor="i", labels=("a",), output="x"), "already"),
    (op.Select(tensors=()), "no tensor is named"),
    (op.Select(tensors=("x", "x")), "twice"),
    (op.Rename(names={"x": "i"}), "already"),
    (op.Rename(names={"x": ""}), "needs a name"),
    (op.Concatenate(tensors=("x", "t"), output="y"), "cannot be put together"),
    (op.Concatenate(tensors=("x", "x"), output="y"), "twice"),
    (op.Concatenate(tensors=("x",), output="y", axis=0), "rows"),
    (op.JoinColumns(tensors=("x",), output="y"), "no column"),
    (op.SplitColumns(tensor="x", outputs=("a", "b")), "has not 2 columns"),
    (op.SplitColumns(tensor="x", outputs=("a", "b", "c", "i")), "already"),
]


@pytest.mark.parametrize(("operation", "reason"), WRONG)
def test_what_cannot_work_is_said_when_it_is_declared_with_its_place(operation: Operation, reason: str) -> None:
    with pytest.raises(UsageError, match=r"here, operation 1 \(\w+\): ") as caught:
        plan_operations([op.Select(tensors=("x", "i", "t")), operation], SPECS, place="here")
    assert reason in f"{caught.value.what} {caught.value.why}"


def test_every_operation_is_in_the_table() -> None:
    from typing import get_args

    from modeldyno.processing.operations import _PLANS

    assert set(get_args(Operation)) == set(_PLANS)


def test_what_one_operation_makes_the_next_one_takes() -> None:
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    made = run(
        {"image": pixels},
        op.Cast(tensor="image", datatype="FP32"),
        op.Scale(tensor="image", multiply=(1 / 255,)),
        op.Normalise(tensor="image", mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2)),
        op.Transpose(tensor="image", order=(0, 3, 1, 2)),
        op.Rename(names={"image": "x"}),
    )
    expected = ((pixels.astype(np.float32) / 255 - (0.5, 0.4, 0.3)) / 0.2).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(expected, made["x"], rtol=1e-4, atol=1e-6)
    assert made["x"].flags.c_contiguous


def test_operations_survive_json() -> None:
    import msgspec

    from modeldyno.records.processing import Processing

    for number, (operation, _) in enumerate(itertools.filterfalse(lambda one: "finite" in one[1], WRONG)):
        one = Processing(operations=(operation,))
        assert one == msgspec.json.decode(msgspec.json.encode(one), type=Processing), number
