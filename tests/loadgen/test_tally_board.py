import os

import numpy as np

from modeldyno.loadgen.buckets import COUNT
from modeldyno.loadgen.tally_board import Tally, TallyBoard, new_board_descriptor
from modeldyno.records.requests import Outcome

TALLY = Tally(5, 4, 3, 2, np.arange(len(Outcome)), np.arange(COUNT))


def test_what_is_posted_can_be_seen_through_another_descriptor_of_the_same_memory() -> None:
    descriptor = new_board_descriptor()
    written, read = TallyBoard(descriptor), TallyBoard(os.dup(descriptor))
    assert read.look() is None
    written.post(TALLY)
    seen = read.look()

    assert seen is not None
    assert TALLY[:4] == seen[:4]
    assert TALLY.failures.tolist() == seen.failures.tolist()
    assert TALLY.buckets.tolist() == seen.buckets.tolist()
    written.close()
    read.close()


def test_a_look_is_a_copy_that_later_posts_do_not_change() -> None:
    board = TallyBoard(new_board_descriptor())
    board.post(TALLY)
    seen = board.look()
    board.post(TALLY._replace(buckets=TALLY.buckets * 2))

    assert seen is not None
    assert TALLY.buckets.tolist() == seen.buckets.tolist()
    board.close()
