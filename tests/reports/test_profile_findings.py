import pytest
from msgspec.structs import replace
from tests.reports import profiles, samples

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.base import Estimate
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.records.speed import Profile
from modeldyno.reports.profile_findings import profile_findings


def said(profile: Profile, kind: str) -> str:
    return " | ".join(one.text for one in profile_findings(profile) if one.kind == kind)


def of(*anatomies: Anatomy) -> Profile:
    return replace(profiles.cut_open(), anatomies=anatomies, cold_start=None, points=())


def test_a_call_that_is_mostly_overhead_is_told_to_be_batched() -> None:
    assert "64.0 % [60.2, 68.6] of a call is overhead at batch 1, 1 thread: batch" in said(profiles.cut_open(), "weak")


def test_a_model_without_a_batch_dimension_is_not_told_to_batch() -> None:
    profile = profiles.cut_open()
    fixed = Signature(inputs=(TensorSpec(name="x", datatype="FP32", shape=(1, 64)),), outputs=())
    text = said(replace(profile, model=replace(profile.model, signature=fixed)), "weak")
    assert "overhead at batch 1, 1 thread: it cannot batch as exported" in text


def test_what_should_take_no_time_at_all_is_not_held_against_the_peaks() -> None:
    operators = (profiles.operator("Add", 7_000.0, 1.0, (6, 60), 0.8),)
    findings = profile_findings(of(profiles.anatomy(operators=operators)))
    assert not any("peaks allow" in one.text for one in findings)


def test_a_call_that_is_nearly_all_computing_is_strong() -> None:
    assert "nearly all of a call is computing at batch 32" in said(profiles.cut_open(), "strong")


def test_a_share_in_between_is_not_worth_a_word() -> None:
    texts = [one.text for one in profile_findings(of(profiles.anatomy(split=profiles.split(0.2))))]
    assert not any("overhead" in text for text in texts)


def test_a_share_with_a_wide_interval_cannot_be_told_and_stays_within_nothing_and_all() -> None:
    split = replace(profiles.split(0.5), overhead=Estimate(value=-0.2, low=-5.0, high=3.0))
    assert "how much of a call is overhead at batch 1, 1 thread: 0.0 % [0.0, 100.0]" in said(
        of(profiles.anatomy(split=split)), "unclear"
    )


def test_what_most_of_the_time_is_bound_by_comes_with_the_ridge() -> None:
    text = said(of(profiles.anatomy()), "weak")
    assert "memory-bound at batch 1, 1 thread: 60 % of the operators' time is in operators below 1.9 flop/byte" in text


def test_compute_bound_operators_are_a_strength() -> None:
    operators = (profiles.operator("Gemm", 3_000.0, 1.0, (10**6, 10**4), 2_500.0),)
    profile = of(profiles.anatomy(operators=operators, operators_ns=profiles.estimate(3_000.0), split=None))
    assert "compute-bound" in said(profile, "strong")


@pytest.mark.parametrize(
    ("time_ns", "kind"), ((2_600.0, "strong"), (5_000.0, "where"), (50_000.0, "weak"), (1_000.0, "unclear"))
)
def test_the_distance_to_the_limit_is_judged_by_its_interval(time_ns: float, kind: str) -> None:
    operators = (profiles.operator("Gemm", time_ns, 1.0, (10**6, 10**4), 2_500.0),)
    found = of(profiles.anatomy(operators=operators, operators_ns=profiles.estimate(time_ns), split=None))
    assert "2.50 µs that this machine's peaks allow" in said(found, kind)
    if kind == "unclear":
        assert "dyno doctor --only-peaks renews them" in said(found, kind)


def test_a_distance_that_is_not_steady_cannot_be_told() -> None:
    operators = (profiles.operator("Gemm", 5_000.0, 1.0, (10**6, 10**4), 2_500.0),)
    unsteady = Estimate(value=5_000.0, low=2_600.0, high=20_000.0)
    assert "peaks allow" in said(
        of(profiles.anatomy(operators=operators, operators_ns=unsteady, split=None)), "unclear"
    )


def test_operators_that_the_profiler_itself_slows_are_said_to_be() -> None:
    watched = profiles.estimate(20_000.0)
    assert "the profiler itself takes most of them" in said(of(profiles.anatomy(operators_ns=watched)), "unclear")


def test_mostly_uncounted_operators_have_no_distance() -> None:
    operators = (
        profiles.operator("TreeEnsembleClassifier", 9_000.0, 0.9, None),
        profiles.operator("Add", 1.0, 0.1, (1, 1), 1.0),
    )
    profile = of(profiles.anatomy(operators=operators))
    assert (
        "how far from the machine's limit a call is at batch 1, 1 thread: no limit for TreeEnsembleClassifier"
        in said(profile, "unclear")
    )


def test_unfused_quantising_and_moving_are_named() -> None:
    operators = (
        profiles.operator("DynamicQuantizeLinear", 700.0, 0.4, (10, 10), 1.0),
        profiles.operator("DequantizeLinear", 300.0, 0.3, (10, 10), 1.0),
        profiles.operator("Transpose", 300.0, 0.3, (0, 10), 1.0),
    )
    text = said(of(profiles.anatomy(operators=operators)), "weak")
    assert "70 % of the operators' time at batch 1, 1 thread is unfused quantise and dequantise" in text
    assert "30 % of the operators' time at batch 1, 1 thread is moving data" in text


def test_a_busy_machine_and_a_greedy_hypervisor_are_doubts() -> None:
    busy = replace(samples.ENVIRONMENT, load_average_1min=5.0)
    profile = replace(of(profiles.anatomy(stolen_fraction=0.12)), environment=busy)
    text = said(profile, "unclear")
    assert "load 5.0 on 2 cores" in text
    assert "the hypervisor took 12 %" in text
    assert "" == said(replace(of(), environment=samples.ENVIRONMENT), "unclear")


def test_a_slow_first_call_is_told_to_be_made_before_the_traffic() -> None:
    assert "the first call takes 140× a later one" in said(profiles.cut_open(), "weak")


def test_threads_and_instances_are_compared_with_one_of_each_of_the_same_artifact() -> None:
    text = said(profiles.cut_open(), "weak")
    assert "2 threads compute 0.415×" in text
    assert "2 instances compute 0.944×" in text


def test_nothing_measured_is_nothing_said() -> None:
    profile = replace(samples.profile(), points=(), anatomies=())
    assert [] == profile_findings(profile)
