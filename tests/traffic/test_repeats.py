from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.workload import Repeats
from modeldyno.traffic.repeats import asked_questions, numbered_by_first, questions_needed

SHARES = st.floats(0, 0.99)


@given(share=SHARES, requests=st.integers(0, 400), pool=st.integers(1, 50), exponent=st.floats(0, 3))
def test_as_many_requests_repeat_as_asked(share: float, requests: int, pool: int, exponent: float) -> None:
    repeats = Repeats(share=share, pool=pool, exponent=exponent)
    questions = asked_questions(repeats, requests=requests, seed=1)
    assert (requests,) == questions.shape
    assert questions_needed(repeats, requests) == len(set(questions.tolist()))
    assert min(round(share * requests), max(0, requests - 1)) == requests - len(set(questions.tolist()))


@given(share=SHARES, requests=st.integers(1, 300), pool=st.integers(1, 20))
def test_new_questions_come_in_turn_and_only_the_pool_is_asked_again(share: float, requests: int, pool: int) -> None:
    questions = asked_questions(Repeats(share=share, pool=pool), requests=requests, seed=3).tolist()
    known = 0
    for question in questions:
        if question == known:
            known += 1
        else:
            assert question < min(known, pool)
    assert np.array_equal(questions, numbered_by_first(np.array(questions)))


def test_every_part_of_a_load_repeats_as_much() -> None:
    questions = asked_questions(Repeats(share=0.3), requests=40_000, seed=5)
    new = np.diff(np.maximum.accumulate(questions), prepend=-1)
    for quarter in np.split(new, 4):
        assert abs(0.7 - quarter.mean()) < 0.03


def test_popularity_follows_zipfs_law() -> None:

    def again(exponent: float) -> Counter[int]:
        questions = asked_questions(Repeats(share=0.9, pool=100, exponent=exponent), requests=200_000, seed=7)
        return Counter(questions[100_000:].tolist())  # by then all of the pool was asked

    zipf, uniform = again(1.0), again(0.0)
    assert 8 < zipf[0] / zipf[9] < 12
    assert 0.8 < uniform[0] / uniform[9] < 1.25


def test_names_are_numbered_in_the_order_in_which_they_come() -> None:
    assert [0, 1, 0, 2, 1] == numbered_by_first(np.array(["b", "a", "b", "c", "a"])).tolist()
    assert [] == numbered_by_first(np.array([], str)).tolist()
