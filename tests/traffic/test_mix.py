import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.records.workload import parse_row_mix
from modeldyno.traffic.mix import mix_of, mixed_rows


@given(st.lists(st.tuples(st.integers(1, 64), st.floats(0.01, 10)), min_size=1, max_size=5), st.integers(0, 500))
def test_every_size_comes_as_often_as_its_share_says(parts: list[tuple[int, float]], requests: int) -> None:
    mix = parse_row_mix(",".join(f"{rows}:{weight}" for rows, weight in parts))
    rows = mixed_rows(mix, requests=requests, seed=1)

    assert requests == len(rows)
    for one in mix:
        assert abs(int((rows == one.rows).sum()) - one.share * requests) <= 1.001


def test_sizes_are_mixed_over_the_whole_run_and_equal_for_equal_seeds() -> None:
    mix = parse_row_mix("1:0.9,32:0.1")
    rows = mixed_rows(mix, requests=10_000, seed=1)
    large = [int((part == 32).sum()) for part in np.array_split(rows, 10)]

    assert all(abs(count - 100) < 5 * np.sqrt(90) for count in large)
    assert rows.tolist() == mixed_rows(mix, requests=10_000, seed=1).tolist()
    assert rows.tolist() != mixed_rows(mix, requests=10_000, seed=2).tolist()


def test_a_size_named_twice_has_twice_the_share() -> None:
    mix = parse_row_mix("1,1,8")

    assert [1, 8] == [one.rows for one in mix]
    assert [2 / 3, 1 / 3] == pytest.approx([one.share for one in mix])


def test_the_mix_of_a_plan_is_read_back_from_it() -> None:
    assert [(1, 0.75), (4, 0.25)] == [(one.rows, one.share) for one in mix_of(np.array([1, 4, 1, 1]))]


@pytest.mark.parametrize("text", ("", "0", "1,", "-1", "x", "1:0", "1:-1", "1:nan", "1:inf", "1.5", "1:2:3"))
def test_what_is_no_mix_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_row_mix(text)
    assert "1:0.9,32:0.1" in caught.value.hint
