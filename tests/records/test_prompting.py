import pytest

from modeldyno.errors import UsageError
from modeldyno.records.prompting import Lengths, parse_lengths


@pytest.mark.parametrize(
    ("text", "shape", "first", "second"),
    (
        ("64", "fixed", 64, 0),
        ("uniform:32-512", "uniform", 32, 512),
        ("uniform:8-8", "uniform", 8, 8),
        ("normal:256,64", "normal", 256, 64),
        ("lognormal:256.5, 64", "lognormal", 256.5, 64),
    ),
)
def test_a_distribution_of_lengths_is_read(text: str, shape: str, first: float, second: float) -> None:
    found = parse_lengths(text)
    assert (text, shape, first, second) == (found.text, found.shape, found.first, found.second)


@pytest.mark.parametrize(
    "text",
    (
        "", "0", "-3", "6.5", "many", "uniform:", "uniform:32", "uniform:512-32", "normal:256", "normal:256,-1",
        "normal:nan,1", "normal:8,nan", "lognormal:inf,1", "lognormal:0,5", "zipf:2,3", "2000000", "uniform:0-4",
    ),
)  # fmt: skip
def test_what_is_no_distribution_of_lengths_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_lengths(text)
    assert repr(text) in caught.value.what
    assert "uniform:32-512" in caught.value.hint


def test_lengths_are_a_record() -> None:
    assert Lengths(text="64", shape="fixed", first=64) == parse_lengths("64")
