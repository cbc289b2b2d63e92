import threading

from modeldyno.clock import SystemClock
from modeldyno.loadgen.watching.rounds import Rounds

NEVER_NS = 1_000_000_000_000


def test_it_looks_at_once_and_when_the_context_is_left() -> None:
    looks: list[str] = []
    seen = threading.Event()

    def look() -> None:
        looks.append(threading.current_thread().name)
        seen.set()

    with Rounds(look, name="looker", clock=SystemClock(), every_ns=NEVER_NS) as rounds:
        assert seen.wait(60)
    assert ["looker", "looker"] == looks
    assert rounds.problem is None


def test_it_looks_again_and_again() -> None:
    third = threading.Semaphore(0)
    with Rounds(third.release, name="looker", clock=SystemClock(), every_ns=1):
        for _ in range(3):
            assert third.acquire(timeout=60)


def test_a_look_that_cannot_be_made_ends_the_looking_and_is_kept() -> None:
    problem = OSError("gone")

    def look() -> None:
        raise problem

    with Rounds(look, name="looker", clock=SystemClock(), every_ns=1) as rounds:
        pass
    assert problem is rounds.problem
