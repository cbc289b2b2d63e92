import os
import threading

import pytest

from modeldyno.loadgen.aside import run_aside, step_aside


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_only_the_thread_that_steps_aside_becomes_nice() -> None:
    before = niceness()

    assert max(10, before) == run_aside(niceness, name="aside")
    assert before == niceness()


def test_what_is_called_aside_gives_its_result_or_its_error() -> None:
    assert 3 == run_aside(lambda: 3, name="aside")
    with pytest.raises(ZeroDivisionError):
        run_aside(lambda: 1 // 0, name="aside")


def test_a_thread_of_real_time_gives_that_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(os, "sched_getscheduler", lambda _: os.SCHED_FIFO)
    monkeypatch.setattr(os, "sched_setscheduler", lambda _number, policy, _param: seen.append(policy))
    thread = threading.Thread(target=step_aside)
    thread.start()
    thread.join()

    assert [os.SCHED_OTHER] == seen


def test_a_kernel_that_refuses_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    step_aside()
