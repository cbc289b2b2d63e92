from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.models.onnx.operator_costs import is_product, operator_cost
from modeldyno.records.anatomy import Operation, OperatorCost, Tensor

SIZES = st.integers(1, 64)


def tensor(*shape: int, datatype: str = "float32") -> Tensor:
    return Tensor(datatype=datatype, shape=shape)


def operation(kind: str, inputs: list[Tensor | None], outputs: list[Tensor | None], **attributes: Any) -> Operation:
    return Operation(name="", kind=kind, inputs=tuple(inputs), outputs=tuple(outputs), attributes=attributes)


def cost(kind: str, inputs: list[Tensor | None], outputs: list[Tensor | None], **attributes: Any) -> OperatorCost:
    found = operator_cost(operation(kind, inputs, outputs, **attributes))
    assert found is not None
    return found


@given(SIZES, SIZES, SIZES, SIZES)
def test_a_product_of_matrices_is_two_operations_for_each_of_its_three_dimensions(
    b: int, m: int, k: int, n: int
) -> None:
    found = cost("MatMul", [tensor(b, m, k), tensor(k, n)], [tensor(b, m, n)])
    assert 2 * b * m * n * k == found.operations
    assert 4 * (b * m * k + k * n + b * m * n) == found.bytes_moved


@given(SIZES, SIZES, SIZES)
def test_a_transposed_matrix_costs_the_same(m: int, k: int, n: int) -> None:
    found = cost("FusedMatMul", [tensor(k, m), tensor(k, n)], [tensor(m, n)], transA=1)
    assert 2 * m * n * k == found.operations


def test_a_gemm_adds_its_bias() -> None:
    shapes: list[Tensor | None] = [tensor(2, 64), tensor(64, 128)]
    without = cost("Gemm", shapes, [tensor(2, 128)])
    assert 2 * 2 * 64 * 128 == without.operations
    assert 2 * 128 == cost("FusedGemm", [*shapes, tensor(128)], [tensor(2, 128)]).operations - without.operations


def test_a_convolution_sums_over_the_channels_of_a_group_and_the_window() -> None:
    image, answer = tensor(1, 64, 56, 56), tensor(1, 64, 56, 56)
    whole = cost("Conv", [image, tensor(64, 64, 3, 3)], [answer])
    assert 2 * 64 * 56 * 56 * 64 * 9 == whole.operations
    depthwise = cost("Conv", [image, tensor(64, 1, 3, 3)], [answer], group=64)
    assert whole.operations == 64 * depthwise.operations


def test_the_weight_of_a_quantised_convolution_is_its_fourth_input() -> None:
    found = cost(
        "QLinearConv",
        [
            tensor(1, 3, 8, 8, datatype="uint8"), tensor(), tensor(datatype="uint8"),
            tensor(4, 3, 3, 3, datatype="int8"), tensor(), tensor(datatype="int8"),
        ],
        [tensor(1, 4, 6, 6, datatype="uint8")],
    )  # fmt: skip
    assert 2 * 4 * 6 * 6 * 3 * 9 == found.operations
    assert 3 * 64 + 4 * 27 + 4 * 36 + 2 * 4 + 2 == found.bytes_moved


def test_a_transposed_convolution_spreads_each_element_of_its_input() -> None:
    found = cost("ConvTranspose", [tensor(1, 8, 4, 4), tensor(8, 2, 3, 3)], [tensor(1, 2, 6, 6)])
    assert 2 * 8 * 16 * 2 * 9 == found.operations


def test_attention_is_two_products_and_a_softmax_whether_heads_are_apart_or_not() -> None:
    apart = cost("Attention", [tensor(2, 12, 64, 32)] * 3, [tensor(2, 12, 64, 32)])
    together = cost("MultiHeadAttention", [tensor(2, 64, 384)] * 3, [tensor(2, 64, 384)], num_heads=12)
    assert 2 * 2 * 64 * 64 * (384 + 384) + 5 * 2 * 12 * 64 * 64 == apart.operations == together.operations


def test_attention_with_its_projections_counts_them() -> None:
    found = cost("Attention", [tensor(1, 16, 32), tensor(32, 96), tensor(96)], [tensor(1, 16, 32)], num_heads=4)
    assert 2 * 16 * 32 * 96 + 4 * 16 * 16 * 32 == found.operations


def test_a_recurrent_layer_computes_its_gates_at_every_step() -> None:
    found = cost(
        "LSTM", [tensor(10, 2, 8), tensor(1, 64, 8), tensor(1, 64, 16)], [tensor(10, 1, 2, 16), None], hidden_size=16
    )
    assert 2 * 10 * 2 * 64 * (8 + 16) == found.operations


def test_a_linear_model_multiplies_each_row_by_its_coefficients() -> None:
    found = cost("LinearRegressor", [tensor(7, 64)], [tensor(7, 2)], **{"coefficients.length": 128})
    assert 2 * 7 * 128 == found.operations


@pytest.mark.parametrize(("kind", "steps"), (("Relu", 1), ("Add", 1), ("Softmax", 5), ("LayerNormalization", 8)))
def test_elementwise_operators_count_their_steps_for_each_element(kind: str, steps: int) -> None:
    found = cost(kind, [tensor(3, 5)], [tensor(3, 5)])
    assert (15 * steps, 2 * 15 * 4) == (found.operations, found.bytes_moved)


def test_a_reduction_counts_its_input_and_a_pool_its_windows() -> None:
    assert 60 == cost("ReduceMean", [tensor(3, 20)], [tensor(3)]).operations
    assert 4 * 9 * 9 == cost("MaxPool", [tensor(1, 4, 7, 7)], [tensor(1, 4, 3, 3)], kernel_shape=(3, 3)).operations


def test_moving_counts_bytes_and_a_view_counts_nothing() -> None:
    assert OperatorCost(operations=0, bytes_moved=96) == cost("Transpose", [tensor(3, 4)], [tensor(4, 3)])
    assert OperatorCost(operations=0, bytes_moved=0) == cost("Reshape", [tensor(3, 4), None], [tensor(12)])


def test_a_lookup_reads_of_its_table_only_what_it_gives() -> None:
    found = cost("Gather", [tensor(8000, 384), tensor(64, datatype="int64")], [tensor(64, 384)])
    assert 2 * 64 * 384 * 4 + 64 * 8 == found.bytes_moved


@pytest.mark.parametrize("kind", ("TreeEnsembleClassifier", "Loop", "Einsum"))
def test_what_is_not_named_is_not_counted(kind: str) -> None:
    assert operator_cost(operation(kind, [tensor(3, 4)], [tensor(3, 4)])) is None


def test_neither_texts_nor_unknown_shapes_are_counted() -> None:
    texts = tensor(3, datatype="string")
    assert operator_cost(operation("Cast", [texts], [tensor(3)])) is None
    unknown = Operation(name="", kind="Add", inputs=(), outputs=(tensor(3),), is_known=False)
    assert operator_cost(unknown) is None


def test_the_compute_peak_is_for_products_only() -> None:
    assert [is_product(kind) for kind in ("MatMul", "QLinearConv", "Softmax", "Relu")] == [True, True, False, False]
