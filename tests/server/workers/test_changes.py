"""Loading and unloading in several workers, told by messages alone."""

from typing import Any, cast

from modeldyno.records.server import ServedBundle
from modeldyno.server.workers.changes import Changes
from modeldyno.server.workers.member import Member
from modeldyno.server.workers.messages import Abandon, Answer, Ask, Changed, Commit, Prepare, Prepared, Unload


class FakeLink:
    def __init__(self) -> None:
        self.sent: list[object] = []

    def send(self, message: object) -> None:
        self.sent.append(message)


class FakeProcess:
    def __init__(self) -> None:
        self.is_killed = False

    def kill(self) -> None:
        self.is_killed = True


def bundle(name: str, version: str) -> ServedBundle:
    return ServedBundle(name=name, version=version, label="", path=f"/{name}/{version}")


def member_of(number: int, known_changes: int = 0) -> Member:
    process, link = cast("Any", FakeProcess()), cast("Any", FakeLink())
    return Member(number, process, link, hired_ns=0, known_changes=known_changes)


def told(member: Member) -> list[object]:
    """What it was told since this was asked last."""
    link = cast("FakeLink", member.link)
    sent, link.sent = link.sent, []
    return sent


def join(member: Member) -> None:
    member.has_joined = True


class Crowd:
    """Two workers that serve version 1 of `a`."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.changes = Changes(lambda: [one for one in self.members if one.takes_part])
        for number in range(2):
            self.start(number)

    def start(self, number: int) -> Member:
        member = member_of(number, self.changes.count)
        self.members.append(member)
        self.finish_start(member)
        return member

    def finish_start(self, member: Member) -> None:
        member.is_started = True
        self.changes.admit(member, [bundle("a", "1")], lambda: join(member))

    def lose(self, member: Member) -> None:
        self.members.remove(member)
        self.changes.leave_out(member)


def test_a_load_is_prepared_by_all_and_then_made_by_all_and_then_answered() -> None:
    crowd = Crowd()
    one, other = crowd.members
    crowd.changes.hear(one, Ask(7, "load", "a"))
    assert [Prepare(1, "a")] == told(one) == told(other)
    crowd.changes.hear(one, Prepared(1, None, 200))
    assert [] == told(one) + told(other)
    crowd.changes.hear(other, Prepared(1, None, 200))
    assert [Commit(1)] == told(one) == told(other)
    for member in (one, other):
        crowd.changes.hear(member, Changed(1, None, 200, [bundle("a", "2")]))
    assert [Answer(7, None, 200)] == told(one)
    assert [] == told(other)
    assert [bundle("a", "2")] == crowd.changes.served()


def test_one_that_cannot_prepare_keeps_all_as_they_are_and_says_why() -> None:
    crowd = Crowd()
    one, other = crowd.members
    crowd.changes.hear(other, Ask(3, "load", "a"))
    told(one), told(other)
    crowd.changes.hear(one, Prepared(1, "damaged", 400))
    crowd.changes.hear(other, Prepared(1, None, 200))
    assert [Abandon(1)] == told(one)
    assert [Abandon(1), Answer(3, "damaged", 400)] == told(other)
    assert [bundle("a", "1")] == crowd.changes.served()


def test_an_unload_is_made_by_all_and_then_answered() -> None:
    crowd = Crowd()
    one, other = crowd.members
    crowd.changes.hear(one, Ask(1, "unload", "a"))
    assert [Unload(1, "a")] == told(one) == told(other)
    for member in (one, other):
        crowd.changes.hear(member, Changed(1, None, 200))
    assert [Answer(1, None, 200)] == told(one)
    assert [] == crowd.changes.served()


def test_changes_are_made_one_after_another() -> None:
    crowd = Crowd()
    one, other = crowd.members
    crowd.changes.hear(one, Ask(1, "unload", "a"))
    crowd.changes.hear(other, Ask(1, "load", "b"))
    assert [Unload(1, "a")] == told(one)
    for member in (one, other):
        crowd.changes.hear(member, Changed(1, None, 200))
    assert [Answer(1, None, 200), Prepare(2, "b")] == told(one)


def test_a_worker_that_dies_is_left_out_and_the_others_go_on() -> None:
    crowd = Crowd()
    one, other = crowd.members
    crowd.changes.hear(one, Ask(1, "load", "a"))
    crowd.changes.hear(one, Prepared(1, None, 200))
    told(one)
    crowd.lose(other)
    assert [Commit(1)] == told(one)
    crowd.changes.hear(one, Changed(1, None, 200, [bundle("a", "2")]))
    assert [Answer(1, None, 200)] == told(one)


def test_what_a_worker_asked_that_died_is_not_begun_and_what_was_begun_is_finished() -> None:
    crowd = Crowd()
    one, other = crowd.members
    crowd.changes.hear(one, Ask(1, "unload", "a"))
    crowd.changes.hear(one, Ask(2, "load", "a"))
    told(other)
    crowd.lose(one)
    crowd.changes.hear(other, Changed(1, None, 200))
    assert [] == told(other)
    assert [] == crowd.changes.served()


def test_who_asks_when_nobody_serves_is_answered() -> None:
    crowd = Crowd()
    one, other = crowd.members
    one.is_leaving = other.is_leaving = True
    crowd.changes.hear(one, Ask(1, "load", "a"))
    (answer,) = told(one)
    assert isinstance(answer, Answer)
    assert (1, 503) == (answer.question, answer.status)


def test_a_worker_that_started_during_a_change_makes_it_before_it_serves() -> None:
    crowd = Crowd()
    one, other = crowd.members
    late = member_of(2, crowd.changes.count)
    crowd.changes.hear(one, Ask(1, "load", "a"))
    crowd.members.append(late)
    crowd.finish_start(late)
    assert [] == told(late)
    for member in (one, other):
        crowd.changes.hear(member, Prepared(1, None, 200))
    for member in (one, other):
        crowd.changes.hear(member, Changed(1, None, 200, [bundle("a", "2")]))
    assert not late.has_joined
    assert [Prepare(2, "a")] == told(late)
    crowd.changes.hear(late, Prepared(2, None, 200))
    assert [Commit(2)] == told(late)
    crowd.changes.hear(late, Changed(2, None, 200, [bundle("a", "2")]))
    assert late.has_joined


def test_a_worker_that_started_after_a_change_was_told_of_it_at_its_start() -> None:
    crowd = Crowd()
    crowd.changes.hear(crowd.members[0], Ask(1, "unload", "a"))
    for member in crowd.members:
        crowd.changes.hear(member, Changed(1, None, 200))
    late = crowd.start(2)
    assert late.has_joined
    assert [] == told(late)


def test_a_worker_that_cannot_do_what_the_others_did_is_ended() -> None:
    crowd = Crowd()
    late = member_of(2, crowd.changes.count)
    crowd.changes.hear(crowd.members[0], Ask(1, "unload", "a"))
    for member in crowd.members:
        crowd.changes.hear(member, Changed(1, None, 200))
    crowd.finish_start(late)
    assert [Unload(2, "a")] == told(late)
    crowd.changes.hear(late, Changed(2, "not here", 404))
    assert cast("FakeProcess", late.process).is_killed
    assert not late.has_joined
