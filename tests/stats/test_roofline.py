from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.anatomy import Operation, OperatorCost, Tensor, Trace
from modeldyno.stats.blocks import median_estimate
from modeldyno.stats.roofline import (
    Counted,
    Roof,
    operator_times,
    operators_estimate,
    precision_of,
    precision_of_products,
    split_of,
)

ROOF = Roof(compute_per_s={"fp32": 1e12, "int8": 4e12}, bytes_per_s=1e10)
BLOCKS = 6


def tensor(*shape: int, datatype: str = "float32") -> Tensor:
    return Tensor(datatype=datatype, shape=shape)


def counted(kind: str, operations: int, moved: int, *, is_product: bool = True, datatype: str = "float32") -> Counted:
    one = Operation(
        name=kind, kind=kind, inputs=(tensor(4, 4, datatype=datatype),), outputs=(tensor(4, 4, datatype=datatype),)
    )
    return Counted(operation=one, cost=OperatorCost(operations=operations, bytes_moved=moved), is_product=is_product)


def trace(of: Sequence[Counted], times_ns: Sequence[Sequence[float]], resolution_ns: int = 0) -> Trace:
    return Trace(
        operations=tuple(one.operation for one in of),
        times_ns=tuple(tuple(row) for row in times_ns),
        resolution_ns=resolution_ns,
    )


def test_many_operations_on_few_bytes_are_bound_by_computing_and_few_on_many_by_memory() -> None:
    both = [counted("Product", 10**9, 10**5), counted("Sum", 10**6, 10**6, is_product=False)]
    found = operator_times(both, trace(both, [[2e6, 4e5]] * 12), BLOCKS, ROOF)
    assert ["compute", "memory"] == [one.bound for one in found]
    assert [1e6, 1e5] == [one.limit_ns for one in found]
    assert [pytest.approx(5 / 6), pytest.approx(1 / 6)] == [one.share for one in found]


def test_int8_products_have_the_peak_of_int8() -> None:
    one = [counted("MatMulInteger", 4 * 10**9, 10**5, datatype="int8")]
    assert 1e6 == operator_times(one, trace(one, [[2e6]] * 12), BLOCKS, ROOF)[0].limit_ns


def test_a_precision_whose_peak_is_not_known_has_no_limit() -> None:
    one = [counted("MatMul", 10**9, 10**5, datatype="float64")]
    found = operator_times(one, trace(one, [[2e6]] * 12), BLOCKS, ROOF)[0]
    assert (None, None, "fp64") == (found.limit_ns, found.bound, found.precision)


def test_without_peaks_there_are_times_and_no_limits() -> None:
    one = [counted("MatMul", 10**9, 10**5)]
    found = operator_times(one, trace(one, [[2e6]] * 12), BLOCKS, Roof(compute_per_s={}, bytes_per_s=None))[0]
    assert (2e6, None) == (found.time_ns.value, found.limit_ns)


def test_times_that_were_cut_down_may_be_a_whole_step_longer() -> None:
    one = [counted("Relu", 10, 10)]
    found = operator_times(one, trace(one, [[3_000.0]] * 12, resolution_ns=1_000), BLOCKS, ROOF)[0].time_ns
    assert (3_500.0, 3_000.0, 4_000.0) == (found.value, found.low, found.high)
    both = operators_estimate(trace(one * 2, [[3_000.0, 5_000.0]] * 12, resolution_ns=1_000), BLOCKS)
    assert (9_000.0, 10_000.0) == ((both.low or 0) + 1_000, both.high)


def test_a_stall_in_each_block_is_not_the_operators() -> None:
    one = [counted("Relu", 10, 10)]
    calls = [*[[1_000.0]] * 3, [900_000.0]] * BLOCKS
    assert 1_000.0 == operator_times(one, trace(one, calls), BLOCKS, ROOF)[0].time_ns.value


def test_the_layers_of_a_call_are_the_differences_of_the_ways_of_calling() -> None:
    times = {"session": [12.0] * 6, "direct": [10.0] * 6, "bound": [7.0] * 6, "empty": [3.0] * 6}
    found = split_of(times)
    layers = (found.session_layer_ns, found.python_ns, found.runtime_ns, found.computing_ns)
    assert [2.0, 3.0, 3.0, 4.0] == [one.value for one in layers]
    assert found.whole_ns.value == sum(one.value for one in layers)
    assert pytest.approx(8 / 12) == found.overhead.value


@pytest.mark.parametrize(
    ("kind", "inputs", "output", "precision"),
    (
        ("MatMul", [tensor(4, 4), tensor(4, 4)], "float32", "fp32"),
        ("DynamicQuantizeMatMul", [tensor(4, 4), tensor(4, 4, datatype="int8")], "float32", "int8"),
        ("MatMulNBits", [tensor(4, 4), tensor(4, 4, datatype="uint8")], "float32", "fp32"),
        ("MatMul", [tensor(4, 4, datatype="float16")] * 2, "float16", "fp16"),
    ),
)
def test_what_an_operator_computes_in(kind: str, inputs: list[Tensor], output: str, precision: str) -> None:
    one = Operation(name="", kind=kind, inputs=tuple(inputs), outputs=(tensor(4, 4, datatype=output),))
    assert precision == precision_of(one)


@pytest.mark.parametrize(("count", "low", "high"), ((6, 0, 5), (9, 1, 7), (12, 2, 9), (20, 5, 14)))
def test_the_interval_of_a_median_is_between_two_of_the_blocks(count: int, low: int, high: int) -> None:
    """The ranks of the sign test in Conover's table A3."""
    found = median_estimate([float(one) for one in range(count)])
    assert (float(low), float(high)) == (found.low, found.high)


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=40), st.floats(0, 1e12))
def test_one_stall_moves_a_median_no_further_than_its_interval(blocks: list[float], stall: float) -> None:
    before, after = median_estimate(blocks), median_estimate([*blocks[1:], 1e6 + stall])
    assert before.high is not None
    assert after.value <= max(before.high, sorted(blocks)[min(len(blocks) - 1, len(blocks) // 2 + 1)])


def test_fewer_than_six_blocks_have_a_median_and_no_interval() -> None:
    assert (3.0, None) == ((found := median_estimate([1.0, 5.0, 3.0])).value, found.low)
    with pytest.raises(ValueError, match="at least one"):
        median_estimate([])


@pytest.mark.parametrize(
    ("datatypes", "expected"),
    (
        ({"int8": 1000, "float32": 10}, "int8"),
        ({"int8": 1000, "float32": 11}, "mixed"),
        ({"float32": 1}, "fp32"),
        ({}, None),
    ),
)
def test_a_call_is_computed_in_what_its_products_are_but_for_a_hundredth(
    datatypes: dict[str, int], expected: str | None
) -> None:
    products = [counted("MatMul", operations, 1, datatype=name) for name, operations in datatypes.items()]
    others = [counted("Cast", 10**9, 1, datatype="float64", is_product=False)]
    assert expected == precision_of_products([*products, *others])


def test_a_product_of_narrow_floats_is_narrow_whatever_it_puts_out() -> None:
    narrow = tensor(4, 4, datatype="bfloat16")
    product = Operation(name="p", kind="MatMul", inputs=(narrow, narrow, None), outputs=(tensor(4, 4),))
    conversion = Operation(name="c", kind="Cast", inputs=(narrow,), outputs=(tensor(4, 4),))
    assert ["bf16", "fp32"] == [precision_of(product), precision_of(conversion)]
