"""`modeldyno.policies.padding`."""

import re
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.policies.padding import PaddingPlan, bucket_end
from modeldyno.records.deployment import Batching, Buckets
from modeldyno.records.signature import Signature, TensorSpec

IDS = TensorSpec(name="ids", datatype="INT64", shape=("batch", "seq"))
IMAGE = TensorSpec(name="image", datatype="FP32", shape=("batch", 3, "height", "seq"))
TOKENS = TensorSpec(name="tokens", datatype="FP32", shape=("batch", "seq", 8))
LABEL = TensorSpec(name="label", datatype="FP32", shape=("batch",))
SIGNATURE = Signature(inputs=(IDS, IMAGE), outputs=(TOKENS, LABEL))
SEQ = Buckets(dimension="seq", sizes=(4, 8))


def plan_of(*buckets: Buckets, pad_value: float = 0) -> PaddingPlan:
    return PaddingPlan(SIGNATURE, Batching(max_rows=8, buckets=buckets, pad_value=pad_value))


@given(st.integers(1, 100), st.sets(st.integers(1, 90), min_size=1))
def test_a_size_goes_to_the_smallest_bucket_that_holds_it_or_stays_as_it_is(length: int, sizes: set[int]) -> None:
    end = bucket_end(length, tuple(sorted(sizes)))
    assert end == min((size for size in sizes if size >= length), default=length)


lengths = st.tuples(st.integers(1, 12), st.integers(1, 3))


def tails(seq: int, height: int) -> tuple[tuple[int, ...], ...]:
    return ((seq,), (3, height, seq))


@given(st.lists(lengths, min_size=1, max_size=6))
def test_what_is_merged_is_padded_to_its_longest_and_never_past_its_bucket(sizes: list[tuple[int, int]]) -> None:
    plan = plan_of(SEQ)
    groups: dict[object, list[tuple[int, int]]] = {}
    for one in sizes:
        groups.setdefault(plan.key(tails(*one)), []).append(one)
    for group in groups.values():
        assert len({height for _, height in group}) == 1  # its dimension has no buckets
        padded = plan.padded([tails(*one) for one in group])
        longest = max(seq for seq, _ in group)
        assert {"ids": (longest,), "image": (3, group[0][1], longest)} == padded
        assert len({bucket_end(seq, (4, 8)) for seq, _ in group}) == 1


def test_what_belongs_to_a_request_is_cut_out_of_the_outputs_that_have_its_dimension() -> None:
    plan = plan_of(SEQ)
    assert (slice(3),) == plan.own_part("tokens", tails(3, 1))
    assert () == plan.own_part("label", tails(3, 1))


@pytest.mark.parametrize(
    ("buckets", "pad_value", "words"),
    (
        ((Buckets(dimension="width", sizes=(4,)),), 0, "dimensions are: 'height', 'seq'"),
        ((Buckets(dimension="batch", sizes=(4,)),), 0, "dimensions are: 'height', 'seq'"),
        ((SEQ, SEQ), 0, "given twice"),
        ((Buckets(dimension="seq", sizes=()),), 0, "ascending"),
        ((Buckets(dimension="seq", sizes=(4, 4)),), 0, "ascending"),
        ((Buckets(dimension="seq", sizes=(0, 4)),), 0, "ascending"),
        ((SEQ,), 0.5, r"which input 'ids' \(INT64\) cannot hold"),
        ((SEQ,), 1e30, r"which input 'ids' \(INT64\) cannot hold"),
        ((SEQ,), nan, r"which input 'ids' \(INT64\) cannot hold"),
        ((SEQ,), -inf, r"which input 'ids' \(INT64\) cannot hold"),
    ),
)
def test_buckets_that_do_not_fit_are_refused(buckets: tuple[Buckets, ...], pad_value: float, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        plan_of(*buckets, pad_value=pad_value)
    problem = raised.value
    assert re.search(words, f"{problem.what} {problem.why} {problem.hint}")


def test_without_a_batch_dimension_there_is_nothing_to_merge() -> None:
    fixed = TensorSpec(name="ids", datatype="INT64", shape=(1, "seq"))
    with pytest.raises(UsageError, match="no batch dimension"):
        PaddingPlan(Signature(inputs=(fixed,), outputs=(fixed,)), Batching(buckets=(SEQ,)))
