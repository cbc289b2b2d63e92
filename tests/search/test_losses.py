"""Why a compressed artifact gains nothing: each reason only where it was measured."""

from msgspec.structs import replace

from modeldyno.records.anatomy import Anatomy
from modeldyno.search.losses import lost_points, why_not_faster
from modeldyno.search.space import deployment
from tests.search.samples import anatomy_of, artifact, assessed, point

VNNI = ("avx2", "avx512_vnni")
INT8 = artifact("onnx-int8", "int8")


def anatomy(*operators: tuple[str, float, str], bound: str | None = None) -> Anatomy:
    one = deployment("onnx-int8", "onnxruntime", threads=1, instances=1, batch=1)
    return anatomy_of(one, *operators, bound=bound)


def why(*, found: Anatomy | None = None, flags: tuple[str, ...] = VNNI, parameters: int = 10**8, **changes: str) -> str:
    return why_not_faster(
        replace(INT8, **changes),
        0.8,
        parameters=parameters,
        cpu_flags=flags,
        anatomy=found,
    )


def test_a_processor_without_the_instructions_is_named_and_one_with_them_is_not() -> None:
    assert "no VNNI or AMX instructions" in why(flags=("avx2",))
    for flags in (VNNI, ("avx_vnni",), ("amx_int8",), ("asimddp",)):
        assert "VNNI" not in why(flags=flags)


def test_unfused_quantising_is_told_with_its_share() -> None:
    found = anatomy(("QuantizeLinear", 0.4, "uint8"), ("DequantizeLinear", 0.3, "int8"), ("QLinearConv", 0.3, "int8"))
    assert "70 % of the operators' time is in 2 unfused quantise and dequantise nodes" == why(found=found)


def test_little_quantising_is_not_blamed() -> None:
    found = anatomy(("QuantizeLinear", 0.05, "uint8"), ("Conv", 0.25, "fp32"), ("QLinearConv", 0.7, "int8"))
    assert "" == why(found=found)


def test_the_slow_kernel_of_naive_convolutions_is_named() -> None:
    assert "60 % of the operators' time is in ConvInteger" in why(
        found=anatomy(("ConvInteger", 0.6, "int8"), ("DynamicQuantizeMatMul", 0.4, "int8"))
    )


def test_products_are_blamed_only_where_they_alone_take_longer_than_all_before() -> None:
    assert "take 1.2 times as long as a whole call before" in why(found=anatomy(("QLinearConv", 0.96, "int8")))
    assert "whole call" not in why(found=anatomy(("QLinearConv", 0.7, "int8"), ("Relu", 0.3, "fp32")))


def test_what_stayed_in_floats_and_what_memory_limits_are_told() -> None:
    found = anatomy(("Softmax", 0.8, "fp32"), ("QLinearMatMul", 0.2, "int8"), bound="memory")
    said = why(found=found)
    assert "80 % of the operators' time is in those that still compute in floats" in said
    assert "100 % of the operators' time is in those that memory limits" in said


def test_a_small_model_has_little_to_save() -> None:
    assert "the model has only 9,480 parameters, so there is little arithmetic to save" == why(parameters=9_482)


def test_smaller_weights_alone_compute_as_before_whatever_the_processor() -> None:
    assert "only its weights are smaller: it computes in floats as before" == why(
        flags=("avx2",), name="openvino-int8-weights"
    )


def test_zeros_are_multiplied_whatever_the_processor() -> None:
    assert "its zeros are multiplied like any other number: no kernel here skips them" == why(
        flags=("avx2",), name="onnx-pruned-50", precision="fp32", parameters=9
    )


def test_a_loser_is_held_against_what_it_was_made_from_at_its_own_batch() -> None:
    parent, child = assessed("onnx-fp32"), assessed("onnx-int8", precision="int8")
    child = replace(child, artifact=replace(child.artifact, parent_digest=parent.artifact.digest))
    points = [
        point("onnx-fp32", 100, batch=1),
        point("onnx-fp32", 200, batch=8),
        point("onnx-int8", 90, batch=1),
        point("onnx-int8", 150, batch=8),
        point("onnx-int8", 900, batch=8, threads=2),
    ]
    assert [(points[3], points[1])] == lost_points([parent, child], points)
    points[3] = point("onnx-int8", 250, batch=8)
    assert [] == lost_points([parent, child], points)


def test_without_its_parent_in_the_race_nothing_is_said() -> None:
    child = assessed("onnx-int8", precision="int8")
    assert [] == lost_points([assessed("onnx-fp32"), child], [point("onnx-int8", 90), point("onnx-fp32", 100)])
