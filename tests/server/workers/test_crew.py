"""Workers that start, die, hang and fail, by a loop that turns only when it is told to."""

import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import msgspec
import pytest

from modeldyno.errors import DynoError, InputError, ToolError
from modeldyno.policies.restarting import BEAT_S, GOOD_RUN_NS, MOST_SILENT_STARTS, STALE_BEATS
from modeldyno.records.server import ServedBundle, ServerAccount, ServerSettings
from modeldyno.server.network.doors import DoorName
from modeldyno.server.workers.crew import Crew
from modeldyno.server.workers.link import new_pair
from modeldyno.server.workers.member import NOTHING, Hired, Member
from modeldyno.server.workers.messages import (
    Adopt,
    Adopted,
    Beat,
    Closed,
    Done,
    Failed,
    FromWorker,
    Leaving,
    Started,
    Stop,
    ToWorker,
    Turn,
    Turned,
)
from modeldyno.testing.clock import ManualClock
from modeldyno.testing.manual_loop import ManualLoop
from modeldyno.wire.v2_settings import LogSettings

SECOND = 10**9


class Loop(ManualLoop):
    """Reads when `look` is called."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self._readers: dict[socket.socket, Callable[[], None]] = {}

    def add_reader(self, end: socket.socket, read: Callable[[], None]) -> None:
        self._readers[end] = read

    def remove_reader(self, end: socket.socket) -> None:
        self._readers.pop(end, None)

    def remove_writer(self, end: socket.socket) -> None:
        pass

    def look(self) -> None:
        for read in list(self._readers.values()):
            read()


class FakeWorker:
    """A process, and the other end of its link."""

    def __init__(self) -> None:
        self.pid = 1
        self.own, self.end = new_pair()
        self.end.settimeout(0.0)
        self.status = 0

    def kill(self) -> None:
        self.status = -signal.SIGKILL
        self.end.close()

    def wait(self) -> int:
        return self.status

    def say(self, *messages: FromWorker) -> None:
        for message in messages:
            self.end.send(msgspec.msgpack.encode(message))

    def hear(self) -> list[ToWorker]:
        heard: list[ToWorker] = []
        while True:
            try:
                content, descriptors, _, _ = socket.recv_fds(self.end, 1 << 16, 1)
            except BlockingIOError:
                return heard
            for descriptor in descriptors:
                socket.socket(fileno=descriptor).close()
            heard.append(msgspec.msgpack.decode(content, type=ToWorker))


class Office:
    """A crew of two, and what it told its host."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.loop = Loop(self.clock)
        self.hired: list[tuple[int, FakeWorker]] = []
        self.told: list[str] = []
        self.problems: list[DynoError] = []
        self.taken_back: list[DoorName] = []
        self.cannot_hire = False
        settings = ServerSettings(workers=2, worker_silence_ns=30 * SECOND, drain_timeout_ns=5 * SECOND)
        self.crew = Crew(settings, hire=self.hire, loop=cast("Any", self.loop), clock=self.clock, host=self)

    def hire(self, number: int, served: Sequence[ServedBundle] | None) -> Hired:
        if self.cannot_hire:
            raise ToolError("cannot start a worker process", why="no memory")
        worker = FakeWorker()
        self.hired.append((number, worker))
        return Hired(worker, worker.own)

    def what_is_served(self) -> tuple[int, Sequence[ServedBundle] | None]:
        return 0, None

    def admit(self, member: Member, served: Sequence[ServedBundle], join: Callable[[], None]) -> None:
        join()

    def report_joined(self) -> None:
        self.told.append("joined")

    def report_complete(self) -> None:
        self.told.append("complete")

    def report_gone(self, member: Member) -> None:
        self.told.append(f"gone {member.number}")

    def report_failure(self, problem: DynoError) -> None:
        self.problems.append(problem)

    def report_ended(self) -> None:
        self.told.append("ended")

    def take_back(self, door: DoorName, connection: socket.socket) -> None:
        self.taken_back.append(door)
        connection.close()

    def hear(self, member: Member, message: FromWorker) -> None:
        raise AssertionError(message)

    def started(self) -> tuple[FakeWorker, FakeWorker]:
        """Start both."""
        self.crew.start()
        one, other = (worker for _, worker in self.hired)
        for worker in (one, other):
            worker.say(Started([]))
        self.loop.look()
        return one, other

    def pass_beats(self, beats: int, *alive: FakeWorker) -> None:
        for _ in range(beats):
            for worker in alive:
                worker.say(Beat(NOTHING, is_ready=True))
            self.loop.look()
            self.loop.advance_ns(round(BEAT_S * 1e9))
        self.loop.look()

    def close(self) -> None:
        for _, worker in self.hired:
            worker.end.close()
        self.loop.look()
        self.crew.stop()


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()
    yield made
    made.close()


def hand(office: Office) -> bool:
    one, other = socket.socketpair()
    with other:
        if office.crew.hand("main", one):
            return True
        one.close()
        return False


def test_the_crew_is_complete_when_all_have_started(office: Office) -> None:
    office.crew.start()
    (_, one), (_, other) = office.hired
    one.say(Started([]))
    office.loop.look()
    assert ["joined"] == office.told
    other.say(Started([]))
    office.loop.look()
    assert ["joined", "joined", "complete"] == office.told


def test_a_connection_goes_to_who_has_the_fewest_and_is_counted_until_it_is_closed(office: Office) -> None:
    one, other = office.started()
    assert [True] * 3 == [hand(office) for _ in range(3)]
    assert ([Adopt("main")] * 2, [Adopt("main")]) == (one.hear(), other.hear())
    other.say(Closed("main"))
    office.loop.look()
    assert [True] * 2 == [hand(office) for _ in range(2)]
    assert ([], [Adopt("main")] * 2) == (one.hear(), other.hear())
    assert 4 == office.crew.open_connections("main")


def test_what_a_dead_worker_never_had_is_for_another(office: Office) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(end) for _ in range(3) for end in socket.socketpair()]
        one, other = office.started()
        doors: tuple[DoorName, ...] = ("main", "main", "grpc")
        for door, connection in zip(doors, connections[::2], strict=True):
            other.say(Beat(NOTHING, is_ready=True))
            one.say(Beat(NOTHING, is_ready=door == "main"))
            office.loop.look()
            assert office.crew.hand(door, connection)
        assert ([Adopt("main")], [Adopt("main"), Adopt("grpc")]) == (one.hear(), other.hear())
        other.say(Adopted())
        office.loop.look()
        assert [False, True, False] == [end.fileno() == -1 for end in connections[::2]]
        other.kill()
        office.loop.look()
        assert ["grpc"] == office.taken_back
        assert 1 == office.crew.open_connections("main")


def test_who_is_not_ready_gets_connections_only_when_nobody_is(office: Office) -> None:
    one, other = office.started()
    one.say(Beat(NOTHING, is_ready=False))
    office.loop.look()
    assert [True] * 2 == [hand(office) for _ in range(2)]
    assert ([], [Adopt("main")] * 2) == (one.hear(), other.hear())
    other.say(Beat(NOTHING, is_ready=False))
    office.loop.look()
    assert hand(office)
    assert [Adopt("main")] == one.hear()


def test_who_is_silent_gets_no_connections_and_is_ended_in_the_end(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = office.started()
    office.pass_beats(STALE_BEATS + 1, other)
    assert [True] * 2 == [hand(office) for _ in range(2)]
    assert ([], [Adopt("main")] * 2) == (one.hear(), other.hear())
    with caplog.at_level(logging.ERROR, "modeldyno.server"):
        office.pass_beats(120, other)
    assert -signal.SIGKILL == one.status
    assert "gone 0" in office.told
    assert any("hangs" in record.message for record in caplog.records)
    assert 0 == other.status


def test_a_worker_that_opens_a_large_model_is_not_taken_for_hung(office: Office) -> None:
    office.crew.start()
    office.pass_beats(1000)
    assert [0, 0] == [worker.status for _, worker in office.hired]


def test_a_supervisor_that_stood_still_takes_nobody_for_hung(office: Office) -> None:
    one, other = office.started()
    office.clock.advance_ns(3600 * SECOND)
    office.pass_beats(2, one, other)
    assert [0, 0] == [one.status, other.status]
    assert hand(office)


def test_a_dead_worker_is_replaced_at_once_and_later_and_later(office: Office) -> None:
    one, _ = office.started()
    starts = []
    for _ in range(5):
        one.kill()
        office.loop.look()
        died_ns = office.clock.now_ns()
        hired = len(office.hired)
        while len(office.hired) == hired:
            office.pass_beats(1, office.hired[1][1])
        starts.append((office.clock.now_ns() - died_ns) // (SECOND // 4))
        number, one = office.hired[-1]
        assert 0 == number
        one.say(Started([]))
        office.loop.look()
    # In intervals of 250 ms, the one in which the timer goes off included.
    assert [1, 1, 2, 4, 8] == starts


def test_a_good_run_ends_a_row_of_failures(office: Office) -> None:
    one, other = office.started()
    office.pass_beats(GOOD_RUN_NS // (SECOND // 4), one, other)
    one.kill()
    office.loop.look()
    office.pass_beats(1, other)
    assert 3 == len(office.hired)


def test_a_process_that_cannot_be_started_is_tried_again(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    one, other = office.started()
    office.cannot_hire = True
    one.kill()
    office.loop.look()
    office.pass_beats(4, other)
    assert any("no memory" in record.message for record in caplog.records)
    office.cannot_hire = False
    office.pass_beats(40, other)
    assert 3 == len(office.hired)


def test_a_worker_that_says_why_it_cannot_start_ends_the_first_start_with_that(office: Office) -> None:
    office.crew.start()
    office.hired[0][1].say(Failed("InputError", "the bundle is damaged", "a digest differs", "get it again"))
    office.loop.look()
    (problem,) = office.problems
    assert isinstance(problem, InputError)
    assert ("the bundle is damaged", "a digest differs", "get it again") == (problem.what, problem.why, problem.hint)


def test_workers_that_die_before_they_have_started_end_the_first_start(office: Office) -> None:
    office.crew.start()
    for _ in range(MOST_SILENT_STARTS):
        number, worker = next(one for one in reversed(office.hired) if one[0] == 0)
        assert 0 == number
        worker.kill()
        office.loop.look()
        office.loop.advance_ns(SECOND)
    (problem,) = office.problems
    assert "killed by signal 9" in problem.why


def test_later_a_worker_that_cannot_start_is_logged_and_tried_again(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = office.started()
    one.kill()
    office.loop.look()
    office.pass_beats(1, other)
    with caplog.at_level(logging.ERROR, "modeldyno.server"):
        for _ in range(5):
            replacement = office.hired[-1][1]
            replacement.say(Failed("InputError", "the bundle is damaged", "", ""))
            replacement.end.close()
            office.loop.look()
            office.pass_beats(20, other)
    assert [] == office.problems
    assert 5 == sum("the bundle is damaged" in record.message for record in caplog.records)
    assert hand(office)


def account(**counts: int) -> ServerAccount:
    return msgspec.structs.replace(NOTHING, **counts)


def test_the_account_is_the_sum_and_what_a_killed_worker_had_not_answered_is_lost(office: Office) -> None:
    one, other = office.started()
    one.say(Beat(account(accepted=10, answered=7, refused=2), is_ready=True))
    office.loop.look()
    one.kill()
    office.loop.look()
    other.say(Done(account(accepted=5, answered=4, cancelled=1)))
    office.loop.look()
    found = office.crew.account()
    assert account(accepted=15, answered=11, cancelled=1, lost=3, refused=2) == found
    assert 0 == found.unaccounted


def test_who_is_told_to_end_gets_no_more_connections_and_is_replaced_at_once(office: Office) -> None:
    one, other = office.started()
    one.say(Leaving())
    office.loop.look()
    assert [Stop()] == one.hear()
    assert [True] * 2 == [hand(office) for _ in range(2)]
    assert ([], [Adopt("main")] * 2) == (one.hear(), other.hear())
    for _ in range(3):
        leaving = next(worker for number, worker in reversed(office.hired) if number == 0)
        leaving.say(Done(NOTHING))
        office.loop.look()
        leaving.end.close()
        office.loop.look()
        hired = len(office.hired)
        office.pass_beats(1, other)
        assert hired + 1 == len(office.hired)
        office.hired[-1][1].say(Started([]))
        office.loop.look()


def test_a_stop_drains_who_has_started_and_ends_who_has_not(office: Office) -> None:
    office.crew.start()
    (_, one), (_, other) = office.hired
    one.say(Started([]))
    office.loop.look()
    office.crew.stop()
    assert [Stop()] == one.hear()
    assert -signal.SIGKILL == other.status
    one.say(Done(NOTHING))
    one.end.send(msgspec.msgpack.encode(Beat(NOTHING, is_ready=False)))
    office.loop.look()
    assert "ended" not in office.told
    one.end.close()
    office.loop.look()
    assert "ended" in office.told
    office.loop.advance_ns(3600 * SECOND)
    assert 2 == len(office.hired)


def test_who_does_not_end_in_time_is_ended(office: Office) -> None:
    one, other = office.started()
    office.crew.stop()
    office.loop.advance_ns(16 * SECOND)
    office.loop.look()
    assert [-signal.SIGKILL] * 2 == [one.status, other.status]
    assert "ended" in office.told


def test_after_a_fault_of_the_supervisor_nobody_is_left(office: Office) -> None:
    one, other = office.started()
    office.crew.end_all()
    assert [-signal.SIGKILL] * 2 == [one.status, other.status]
    assert [] == list(office.crew)


def test_log_settings_are_passed_on_and_told_to_those_that_come(office: Office) -> None:
    one, other = office.started()
    settings = LogSettings(log_info=True, log_warning=True, log_error=True, log_verbose_level=1)
    one.say(Turned(settings))
    office.loop.look()
    assert ([], [Turn(settings)]) == (one.hear(), other.hear())
    other.kill()
    office.loop.look()
    office.pass_beats(1, one)
    newcomer = office.hired[-1][1]
    newcomer.say(Started([]))
    office.loop.look()
    assert [Turn(settings)] == newcomer.hear()
