from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from modeldyno.policies.spreading import Load, choose


def spread(connections: int, workers: int) -> list[int]:
    """Who gets each of so many connections that come one after another and stay."""
    had: Counter[int] = Counter()
    last, chosen = -1, []
    for _ in range(connections):
        found = choose([Load(had[worker], had[worker]) for worker in range(workers)], last=last)
        assert found is not None
        had[found] += 1
        last = found
        chosen.append(found)
    return chosen


def test_connections_that_stay_go_round() -> None:
    assert [0, 1, 2, 0, 1, 2, 0] == spread(7, 3)


@given(connections=st.integers(0, 60), workers=st.integers(1, 9))
def test_connections_that_stay_are_spread_evenly(connections: int, workers: int) -> None:
    had = Counter(spread(connections, workers))
    numbers = [had[worker] for worker in range(workers)]
    assert max(numbers) - min(numbers) <= 1


def test_connections_that_are_closed_at_once_go_round_too() -> None:
    idle = [Load(0, 0)] * 3
    assert [1, 2, 0] == [choose(idle, last=last) for last in (0, 1, 2)]


def test_who_takes_none_gets_none() -> None:
    assert 1 == choose([None, Load(5, 5), None], last=0)
    assert choose([None, None], last=-1) is None
    assert choose([], last=-1) is None


def test_of_two_with_as_many_of_an_address_who_has_fewer_of_all_gets_it() -> None:
    assert 1 == choose([Load(1, 4), Load(1, 2)], last=0)


@given(
    loads=st.lists(st.none() | st.builds(Load, st.integers(0, 5), st.integers(5, 9)), max_size=6),
    last=st.integers(-1, 5),
)
def test_nobody_who_takes_connections_has_fewer_than_who_is_chosen(loads: list[Load | None], last: int) -> None:
    found = choose(loads, last=min(last, len(loads) - 1))
    takers = [load for load in loads if load is not None]
    if found is None:
        assert [] == takers
    else:
        assert min(takers) == loads[found]
