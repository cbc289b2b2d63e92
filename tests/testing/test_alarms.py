import asyncio

import pytest
import uvloop

from modeldyno.clock import SystemClock
from modeldyno.testing.alarms import Alarms

MS = 1_000_000


async def rung(offsets_ns: list[int], *, more_ns: int | None = None) -> list[tuple[int, int]]:
    """Which alarm rang how long after its moment; the first sets another one when it rings."""
    clock, done = SystemClock(), asyncio.Event()
    alarms, start_ns = Alarms(clock), clock.now_ns()
    calls: list[tuple[int, int]] = []
    expected = len(offsets_ns) + (more_ns is not None)

    def ring(place: int, moment_ns: int) -> None:
        calls.append((place, clock.now_ns() - moment_ns))
        if more_ns is not None and len(calls) == 1:
            set_alarm(len(offsets_ns), more_ns)
        if len(calls) == expected:
            done.set()

    def set_alarm(place: int, offset_ns: int) -> None:
        alarms.set(start_ns + offset_ns, lambda: ring(place, start_ns + offset_ns))

    for place, offset_ns in enumerate(offsets_ns):
        set_alarm(place, offset_ns)
    await done.wait()
    return calls


@pytest.mark.parametrize("more_ns", (None, -MS, 1, 20 * MS))
def test_alarms_ring_in_the_order_of_their_moments_and_never_early(more_ns: int | None) -> None:
    calls = uvloop.run(rung([9 * MS, 3 * MS, 6 * MS, 3 * MS, 0, -5 * MS], more_ns=more_ns))
    assert [5, 4, 1, 3, 2, 0] == [place for place, _ in calls if place < 6]
    assert all(late_ns >= 0 for _, late_ns in calls)


def test_an_alarm_may_be_set_after_all_others_rang() -> None:
    async def twice() -> list[int]:
        first = await rung([MS])
        return [place for place, _ in first + await rung([MS])]

    assert [0, 0] == uvloop.run(twice())
