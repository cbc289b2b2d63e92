"""`modeldyno.wire.v2_parameters`: a value of another kind is refused with the parameter's name."""

from typing import Any

import pytest

from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_parameters import flag, whole


def test_what_is_not_given_is_false_or_0() -> None:
    assert (False, True, 0) == (flag({}, "a"), flag({}, "a", default=True), whole({}, "a"))


def test_what_is_given_counts() -> None:
    given: dict[str, Any] = {"yes": True, "seven": 7}
    assert (True, 7) == (flag(given, "yes"), whole(given, "seven"))


@pytest.mark.parametrize("value", (1, 0, "true", None, 1.0))
def test_what_is_neither_true_nor_false_is_refused(value: Any) -> None:
    with pytest.raises(WireError, match="the parameter binary_data is true or false, not"):
        flag({"binary_data": value}, "binary_data")


@pytest.mark.parametrize("value", (-1, True, "7", None, 7.0))
def test_what_is_no_whole_number_from_0_on_is_refused(value: Any) -> None:
    with pytest.raises(WireError, match="the parameter timeout is a whole number from 0 on, not"):
        whole({"timeout": value}, "timeout")
