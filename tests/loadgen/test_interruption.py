import signal
import threading

import pytest

from modeldyno.loadgen.interruption import Interruption


def test_the_first_ctrl_c_is_only_noted() -> None:
    with Interruption() as interruption:
        assert not interruption.asked
        signal.raise_signal(signal.SIGINT)

        assert interruption.asked


def test_the_second_ctrl_c_acts_as_ever() -> None:
    with Interruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_the_handler_is_the_one_from_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        assert before != signal.getsignal(signal.SIGINT)

    assert before == signal.getsignal(signal.SIGINT)


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
            assert not interruption.asked
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_of_the_main_thread_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def enter() -> None:
        with Interruption():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()

    assert [before] == seen
