import select
from collections.abc import Iterator

import pytest

from modeldyno.clock import SystemClock
from modeldyno.loadgen.pacer import Pacer

FAR_NS = 10**15


@pytest.fixture
def pacer() -> Iterator[Pacer]:
    made = Pacer()
    yield made
    made.close()


def is_due(pacer: Pacer, timeout_s: float) -> bool:
    return bool(select.select([pacer.descriptor], [], [], timeout_s)[0])


def test_it_never_fires_before_its_moment(pacer: Pacer) -> None:
    clock = SystemClock()
    for delay_ns in (1_000, 100_000, 5_000_000):
        moment_ns = clock.now_ns() + delay_ns
        pacer.arm(moment_ns)

        assert is_due(pacer, 60)
        assert clock.now_ns() >= moment_ns


@pytest.mark.parametrize("moment_ns", (-5, 0, 1))
def test_a_moment_that_is_past_fires_at_once(pacer: Pacer, moment_ns: int) -> None:
    pacer.arm(moment_ns)

    assert is_due(pacer, 60)


def test_arming_again_takes_back_an_expiry_nobody_read(pacer: Pacer) -> None:
    pacer.arm(1)
    assert is_due(pacer, 60)
    pacer.arm(SystemClock().now_ns() + FAR_NS)

    assert not is_due(pacer, 0)


def test_a_disarmed_timer_does_not_fire(pacer: Pacer) -> None:
    pacer.arm(1)
    pacer.disarm()

    assert not is_due(pacer, 0)
