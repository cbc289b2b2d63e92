import math

import pytest

from modeldyno.data.lengths import LengthMix, length_choices, parse_length_mix
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import DataError, UsageError
from modeldyno.records.signature import Signature, TensorSpec


def model(*shapes: tuple[int | str, ...]) -> Signature:
    inputs = tuple(TensorSpec(name=f"x{place}", datatype="INT64", shape=shape) for place, shape in enumerate(shapes))
    return Signature(inputs=inputs, outputs=())


def test_lengths_and_their_weights_are_read() -> None:
    assert LengthMix("seq", ((16, 0.75), (128, 0.25))) == parse_length_mix("seq=128:1, 16:3")
    assert LengthMix("", ((8, 1.0),)) == parse_length_mix("8")
    assert LengthMix("a", ((1, 0.5), (2, 0.5))) == parse_length_mix("a=1,2")


@pytest.mark.parametrize("text", ("", "seq=", "seq=0", "seq=8:0", "seq=8:nan", "seq=8:inf", "seq=x", "8,,9"))
def test_what_is_no_mix_of_lengths_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a mix of lengths"):
        parse_length_mix(text)


def test_independent_mixes_make_every_combination() -> None:
    mixes = [parse_length_mix("h=2:3,4:1"), parse_length_mix("w=8,9")]

    choices = length_choices(mixes, model(("batch", "h", "w"), ("batch", "w")))

    assert [(2, 8, 0.375), (2, 9, 0.375), (4, 8, 0.125), (4, 9, 0.125)] == [
        (one.lengths["h"], one.lengths["w"], one.share) for one in choices
    ]
    assert "h=2 w=8" == choices[0].name
    assert 1 == math.fsum(one.share for one in choices)


def test_the_only_open_dimension_needs_no_name() -> None:
    assert [{"seq": 5}] == [one.lengths for one in length_choices([parse_length_mix("5")], model(("batch", "seq", 3)))]


@pytest.mark.parametrize(
    ("mixes", "shape", "said"),
    (
        (["seq=5"], ("batch", 3), "no dimension of an open length"),
        (["sqe=5"], ("batch", "seq"), "no open dimension 'sqe'"),
        (["5"], ("batch", "a", "b"), "not said which dimension"),
        (["a=5", "a=6"], ("batch", "a"), "given twice"),
        (["batch=5"], ("batch", "a"), "no open dimension 'batch'"),
    ),
)
def test_a_dimension_that_is_not_open_is_refused(mixes: list[str], shape: tuple[int | str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        length_choices([parse_length_mix(text) for text in mixes], model(shape))


def test_made_rows_have_the_lengths_that_were_chosen() -> None:
    dataset = synthetic_dataset(model(("batch", "a", "b"), ("batch", "a")), rows=3, seed=1, lengths={"a": 5})

    assert {"x0": (3, 5, 8), "x1": (3, 5)} == {name: array.shape for name, array in dataset.inputs(0, 3).items()}
