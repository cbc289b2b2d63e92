import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.records.shares import parse_shares


def shares_of(text: str) -> tuple[tuple[int, float], ...]:
    return parse_shares(text, what="no mix", size_name="size", hint="1:0.9,2:0.1")


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0.01, 100)), min_size=1, max_size=8))
def test_shares_add_up_to_one_in_the_order_of_the_numbers(parts: list[tuple[int, float]]) -> None:
    shares = shares_of(",".join(f"{number}:{weight!r}" for number, weight in parts))
    assert sorted({number for number, _ in parts}) == [number for number, _ in shares]
    assert pytest.approx(1) == sum(share for _, share in shares)


def test_a_number_weighs_as_often_as_it_is_named() -> None:
    assert ((1, 0.75), (8, 0.25)) == shares_of("1, 8,1,1")


@pytest.mark.parametrize("text", ("", "0", "-1", "1.5", "x", "1:0", "1:-1", "1:inf", "1:nan", "1:x", "1,,2"))
def test_what_is_no_number_or_weight_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(UsageError, match="no mix") as caught:
        shares_of(text)
    assert "is not a size above 0" in caught.value.why
