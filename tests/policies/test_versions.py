"""`modeldyno.policies.versions`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.policies.versions import VersionChoice, is_version, order_of, parse_versions

numbers = st.lists(st.integers(1, 10**6), unique=True).map(lambda found: [str(number) for number in found])


@given(numbers, st.integers(1, 5))
def test_the_latest_are_the_highest_by_value_not_by_spelling(versions: list[str], latest: int) -> None:
    expected = [str(number) for number in sorted(int(version) for version in versions)[-latest:]]
    assert expected == VersionChoice(latest=latest).choose(versions)


@given(numbers)
def test_all_are_all_lowest_first(versions: list[str]) -> None:
    assert [str(number) for number in sorted(map(int, versions))] == parse_versions("all").choose(versions)


def test_those_asked_for_by_number_are_served_as_far_as_they_are_there() -> None:
    assert ["2", "10"] == parse_versions("10, 2,7").choose(["10", "1", "2"])


@given(
    st.one_of(
        st.just("all"), st.integers(1, 99).map(lambda number: f"latest:{number}"), numbers.filter(len).map(",".join)
    )
)
def test_a_choice_is_written_as_it_is_read(text: str) -> None:
    assert parse_versions(text) == parse_versions(str(parse_versions(text)))


@pytest.mark.parametrize(
    "text", ("", "latest", "latest:", "latest:0", "latest:-1", "latest:x", "first:1", "1,", "0", "01", "1;2", "ALL")
)
def test_anything_else_is_refused_with_what_can_be_written(text: str) -> None:
    with pytest.raises(UsageError, match="which versions") as caught:
        parse_versions(text)
    assert "latest:1" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "expected"),
    (("1", True), ("42", True), ("0", False), ("01", False), ("v1", False), ("1.0", False), ("²", False)),
)
def test_a_version_is_a_whole_number_without_leading_zeros(name: str, *, expected: bool) -> None:
    assert expected == is_version(name)


def test_what_is_no_number_comes_before_all_that_are() -> None:
    assert ["beta", "2", "10"] == sorted(["10", "beta", "2"], key=order_of)
