from typing import Any

import numpy as np
import pytest

from modeldyno.errors import UsageError
from modeldyno.loadgen.choice import asked_again, choose
from modeldyno.loadgen.wiring import PreparedRequest
from modeldyno.records.requests import empty_requests
from modeldyno.records.workload import Repeats, RowShare, Workload
from modeldyno.testing.known_servers import Behaviour, known_server
from modeldyno.traffic.replay import Arrivals


def workload(**changes: Any) -> Workload:
    given: dict[str, Any] = {
        "url": "http://x",
        "model": "m",
        "rate_per_s": 1.0,
        "requests": 10,
        "warmup_requests": 0,
        "seed": 1,
    }
    return Workload(**{**given, **changes})


def arrivals(count: int, **columns: np.ndarray) -> Arrivals:
    return Arrivals(np.arange(count), columns.get("rows"), columns.get("questions"))


def prepared(*rows: int) -> list[PreparedRequest]:
    return [PreparedRequest(b"%d" % number, (), size) for number, size in enumerate(rows)]


def test_without_more_said_requests_take_turns() -> None:
    assert [0, 1, 2, 0, 1] == choose(workload(), arrivals(5), prepared(1, 1, 1)).tolist()


def test_each_question_of_a_trace_has_a_request_of_its_own() -> None:
    choice = choose(workload(), arrivals(5, questions=np.array([7, 3, 7, 9, 3])), prepared(1, 1, 1, 1))

    assert [0, 1, 0, 2, 1] == choice.tolist()


def test_each_size_of_a_mix_repeats_as_much() -> None:
    mix = (RowShare(rows=1, share=0.5), RowShare(rows=8, share=0.5))
    asked = workload(row_mix=mix, repeats=Repeats(share=0.4))
    offered = prepared(*[1] * 100, *[8] * 100)
    choice = choose(asked, arrivals(200), offered)

    for size in (1, 8):
        mine = [place for place in choice.tolist() if offered[place].rows == size]
        assert (100, 60) == (len(mine), len(set(mine)))


def test_a_size_that_nothing_was_prepared_of_is_refused() -> None:
    with pytest.raises(UsageError, match="no request of 2 rows"):
        choose(workload(), arrivals(2, rows=np.array([1, 2])), prepared(1))


def sent(count: int, warmup: int) -> np.ndarray:
    rows = empty_requests(count)
    rows["sent_ns"] = rows["number"]
    rows["measured"] = rows["number"] >= warmup
    return rows


def test_what_was_asked_in_the_warm_up_is_asked_again_afterwards() -> None:
    choices = [np.array(part, "<i4").tobytes() for part in ([0, 1, 0], [1, 2, 3])]  # 0 1 1 2 0 3 in the plan

    assert (4, 0.5) == asked_again(sent(6, 2), choices, prepared(1, 1, 1, 1))
    assert (4, 2 / 6) == pytest.approx(asked_again(sent(6, 0), choices, prepared(1, 1, 1, 1)))


def test_equal_contents_are_one_question_and_what_was_not_sent_is_none() -> None:
    rows = sent(4, 0)
    rows["sent_ns"][3] = -1
    same = [PreparedRequest(b"a", (), 1)] * 4

    assert (1, 2 / 3) == pytest.approx(asked_again(rows, [np.arange(4, dtype="<i4").tobytes()], same))


def test_the_share_is_that_of_the_requests_really_sent(offer: Any) -> None:
    with known_server(Behaviour()) as server:
        many = [PreparedRequest(b"%d" % number, (), 1) for number in range(50)]
        result = offer(server.url, prepared=many, warmup_requests=0, workers=2, repeats=Repeats(share=0.3))
        few = offer(server.url, prepared=many[:7], warmup_requests=0, repeats=Repeats(share=0.3))

    effective = result.effective
    assert (28, 0.3) == pytest.approx((effective.questions, effective.repeated_fraction))
    assert (7, 1 - 7 / 40) == pytest.approx((few.effective.questions, few.effective.repeated_fraction))


def test_the_users_of_a_closed_loop_do_not_each_ask_all_anew(offer: Any) -> None:
    closed = {"arrivals": "closed", "rate_per_s": 0.0, "warmup_requests": 0, "concurrency": 2, "requests": 60}
    with known_server(Behaviour()) as server:
        many = [PreparedRequest(b"%d" % number, (), 1) for number in range(100)]
        result = offer(server.url, prepared=many, **closed, workers=2, repeats=Repeats(share=0.0))

    assert (60, 0.0) == pytest.approx((result.effective.questions, result.effective.repeated_fraction))
