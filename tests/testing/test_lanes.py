from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.testing.lanes import NO_STALLS, Stalls, Stay, simulate

gaps = st.lists(st.integers(0, 50), min_size=1, max_size=60)
works = st.lists(st.integers(0, 100), min_size=60, max_size=60)


def arrivals(spaces: list[int]) -> list[int]:
    return list(accumulate(spaces))


@given(gaps, works)
def test_one_lane_is_lindleys_recursion(spaces: list[int], work: list[int]) -> None:
    arrived, service = np.array(arrivals(spaces)), np.array(work[: len(spaces)])
    walk = np.cumsum(np.concatenate([[0], service[:-1] - np.diff(arrived)]))
    expected = walk - np.minimum.accumulate(walk)
    assert expected.tolist() == [
        stay.begun_ns - came for stay, came in zip(simulate(arrived.tolist(), service.tolist()), arrived, strict=True)
    ]


@given(gaps, works, st.integers(1, 5))
def test_who_comes_first_is_served_first_and_no_more_than_the_lanes_at_a_time(
    spaces: list[int], work: list[int], lanes: int
) -> None:
    arrived, service = arrivals(spaces), work[: len(spaces)]
    stays = simulate(arrived, service, lanes)
    begun = [stay.begun_ns for stay in stays]
    assert sorted(begun) == begun
    for came, needs, stay in zip(arrived, service, stays, strict=True):
        assert came <= stay.begun_ns
        assert stay.begun_ns + needs == stay.done_ns
        busy = sum(other.begun_ns <= stay.begun_ns < other.done_ns for other in stays)
        assert busy <= lanes


@given(gaps, works, st.integers(1, 5))
def test_nobody_waits_while_a_lane_is_free(spaces: list[int], work: list[int], lanes: int) -> None:
    arrived = arrivals(spaces)
    stays = simulate(arrived, work[: len(spaces)], lanes)
    for place, (came, stay) in enumerate(zip(arrived, stays, strict=True)):
        if stay.begun_ns > came:
            just_before = stay.begun_ns - 1
            earlier = stays[:place]
            assert lanes <= sum(other.begun_ns <= just_before < other.done_ns for other in earlier)


@given(gaps, works)
def test_more_lanes_never_make_anybody_wait_longer(spaces: list[int], work: list[int]) -> None:
    arrived, service = arrivals(spaces), work[: len(spaces)]
    waits = [[stay.begun_ns for stay in simulate(arrived, service, lanes)] for lanes in (1, 2, 3, len(spaces), 0)]
    for more, fewer in zip(waits[1:], waits[:-1], strict=True):
        assert all(early <= late for early, late in zip(more, fewer, strict=True))
    assert arrived == waits[-1] == waits[-2]


def test_work_rests_during_a_stall_and_goes_on_after_it() -> None:
    stalls = Stalls(every_ns=100, length_ns=30, origin_ns=1000)
    assert 1099 == stalls.finish_ns(1000, 99)
    assert 1130 == stalls.finish_ns(1000, 100)
    assert 1145 == stalls.finish_ns(1090, 25)
    assert 1130 == stalls.finish_ns(1110, 0)
    assert 1135 == stalls.finish_ns(1110, 5)
    assert 1199 == stalls.finish_ns(1130, 69)
    assert 1230 == stalls.finish_ns(1130, 70)
    assert 1245 == stalls.finish_ns(1090, 95)
    assert 915 == stalls.finish_ns(900, 15)


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(2, 400), st.data())
def test_a_stall_adds_only_its_own_length(begun: int, work: int, every: int, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, every - 1))
    done = Stalls(every, length, origin_ns=500).finish_ns(begun, work)

    def is_stalled(moment: int) -> bool:
        return moment >= 500 + every and (moment - 500) % every < length

    assert not is_stalled(done)
    assert work == sum(not is_stalled(moment) for moment in range(begun, done))
    assert NO_STALLS.finish_ns(begun, work) <= done


def test_a_queue_that_stalls_serves_nobody_meanwhile() -> None:
    stalls = Stalls(every_ns=100, length_ns=30, origin_ns=0)
    assert [Stay(90, 135), Stay(135, 150), Stay(150, 155)] == simulate([90, 105, 150], [15, 15, 5], 1, stalls)


@pytest.mark.parametrize("length", (0, 100, 101))
def test_a_stall_that_does_not_fit_is_refused(length: int) -> None:
    with pytest.raises(UsageError):
        Stalls(100, length, 0)
