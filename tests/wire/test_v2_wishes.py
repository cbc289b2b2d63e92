"""`modeldyno.wire.v2_wishes`: outputs are given as they are asked for, or the reason is told."""

from typing import Any

import pytest

from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_wishes import AskedOutput, OutputWish, WishReader, quoted

READER = WishReader(
    Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 3)),),
        outputs=(
            TensorSpec(name="scores", datatype="FP32", shape=("batch", 10)),
            TensorSpec(name="half", datatype="FP16", shape=("batch", 10)),
            TensorSpec(name="flags", datatype="BOOL", shape=("batch", 10)),
        ),
    )
)


def test_without_wishes_all_outputs_are_given_in_the_form_of_the_request() -> None:
    expected = tuple(OutputWish(name, binary=True) for name in ("scores", "half", "flags"))
    assert expected == READER.read([], {"binary_data_output": True})


def test_an_output_comes_in_its_own_form_where_one_is_named() -> None:
    asked = [AskedOutput("half"), AskedOutput("scores", {"binary_data": False})]
    expected = (OutputWish("half", binary=True), OutputWish("scores", binary=False))
    assert expected == READER.read(asked, {"binary_data_output": True})


def test_classes_are_given_in_json_even_of_numbers_without_a_json_form() -> None:
    asked = [AskedOutput("scores", {"classification": 3})]
    assert (OutputWish("scores", binary=False, classes=3),) == READER.read(asked, {})


@pytest.mark.parametrize(
    ("asked", "reason"),
    (
        ([AskedOutput("z")], "unknown output 'z'; the model gives 'scores', 'half', 'flags'"),
        ([AskedOutput("scores")] * 2, "output 'scores' is asked for twice"),
        ([AskedOutput("half")], "output 'half' is FP16, which has no JSON form; ask for binary_data"),
        ([], "output 'half' is FP16, which has no JSON form; ask for binary_data"),
        ([AskedOutput("scores", {"classification": 0})], "output 'scores': classification 0 is not a number of"),
        ([AskedOutput("scores", {"classification": True})], "output 'scores': classification True is not a number of"),
        ([AskedOutput("flags", {"classification": 1})], "output 'flags' is BOOL, which has no classes"),
        ([AskedOutput("scores", {"shared_memory_region": "a"})], "output 'scores': shared memory is not offered"),
        ([AskedOutput("scores", {"binary_data": 1})], "the parameter binary_data is true or false, not 1"),
    ),
)
def test_what_cannot_be_given_is_refused_with_its_reason(asked: list[AskedOutput], reason: str) -> None:
    with pytest.raises(WireError) as refused:
        READER.read(asked, {})
    assert reason == refused.value.message[: len(reason)]


def test_names_are_quoted_for_messages() -> None:
    names: dict[str, Any] = {"a": 1, "b c": 2}
    assert "'a', 'b c'" == quoted(names)
