"""`modeldyno.wire.json_depth`: what is nested too deep is refused, whatever stands in the texts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.errors import WireError
from modeldyno.wire.json_depth import check_depth


def test_a_nesting_of_a_hundred_levels_is_allowed_and_one_more_is_not() -> None:
    check_depth(b"[" * 100 + b"]" * 100)

    with pytest.raises(WireError, match="nested more than 100 levels deep"):
        check_depth(b"[" * 101 + b"]" * 101)


def test_objects_count_as_arrays_do() -> None:
    with pytest.raises(WireError, match="nested more than 100 levels deep"):
        check_depth(b'{"a":[' * 60 + b"]}" * 60)


def test_many_brackets_beside_one_another_are_not_deep() -> None:
    check_depth(json.dumps([[[]]] * 1000).encode())


@given(text=st.text(alphabet='[]{}"\\a', max_size=300))
def test_brackets_in_a_text_are_none(text: str) -> None:
    check_depth(json.dumps({"a" + text: "[" * 150 + text + "{" * 150}).encode())
