"""Checks are isolated from each other: a server may hang, die or lie in one, and the rest still counts."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.conformance.fake_http import Defect, Reply, Request, fake_server

from modeldyno.api.conforming import conform
from modeldyno.api.load.questions.ask import Ask
from modeldyno.conformance.endings import BrokenRuleError, NoAnswerError, NotOfferedError, SkippedError
from modeldyno.conformance.examination import examine
from modeldyno.conformance.http_wire import HttpWire
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.subject import ModelFacts, Subject
from modeldyno.conformance.trail import Trail
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.protocols import Silent
from modeldyno.records.conformance import Conformance, RuleOutcome
from modeldyno.testing.clock import ManualClock

ONE = Ask(model="single")
SHORT_NS = 2_000_000_000


class Wire(HttpWire):
    """Answers nothing but whether it lives."""

    def __init__(self, *lives: bool) -> None:
        super().__init__("http://127.0.0.1:1", Access(), clock=ManualClock(), timeout_ns=1, trail=Trail())
        self.lives = list(lives)

    def send(self, *_: object, **__: object) -> Reply:  # type: ignore[override]
        if not self.lives.pop(0):
            raise NoAnswerError("nothing")
        return Reply(200)


def rule(name: str, check: Callable[[Subject], None]) -> Rule:
    return Rule(name=name, says="it holds", source="here", severity="required", check=check, advice="mend it")


def ended(problem: BaseException) -> Callable[[Subject], None]:
    def check(_: Subject) -> None:
        raise problem

    return check


def outcomes(*rules: Rule, lives: tuple[bool, ...] = ()) -> tuple[str, list[RuleOutcome]]:
    wire = Wire(*lives)
    subject = Subject(http=wire, grpc=None, extensions=(), facts=ModelFacts(name="m"), seed=1)
    state, found = examine(rules, [subject], trail=wire.trail, progress=Silent())
    return state, list(found)


@pytest.mark.parametrize(
    ("problem", "result"),
    (
        (BrokenRuleError("a", "b"), "fail"),
        (NotOfferedError("no"), "not_offered"),
        (SkippedError("no"), "skipped"),
    ),
)
def test_how_a_check_ends_is_its_result_and_the_next_one_goes_on(problem: Exception, result: str) -> None:
    state, (first, second) = outcomes(rule("a", ended(problem)), rule("b", lambda _: None))
    assert ("complete", result, "pass") == (state, first.result, second.result)


def test_only_a_failure_has_advice_and_an_expectation() -> None:
    _, (failed, kept) = outcomes(rule("a", ended(BrokenRuleError("x", "y"))), rule("b", lambda _: None))
    assert ("x", "y", "mend it") == (failed.expected, failed.reason, failed.advice)
    assert ("", "", "") == (kept.expected, kept.reason, kept.advice)


def test_a_server_that_gives_no_answer_but_lives_goes_on_with_the_next_rule() -> None:
    hangs = rule("a", ended(NoAnswerError("no answer within 5 s")))
    state, found = outcomes(hangs, rule("b", lambda _: None), lives=(False, True))
    assert ("complete", ["fail", "pass"]) == (state, [one.result for one in found])


def test_a_server_that_is_lost_leaves_the_rest_not_checked() -> None:
    dies = rule("b", ended(NoAnswerError("closed")))
    state, found = outcomes(rule("a", lambda _: None), dies, rule("c", lambda _: None), lives=(False, False, False))
    assert ("lost", ["pass", "fail", "not_checked"]) == (state, [one.result for one in found])


def test_an_interruption_keeps_what_was_checked() -> None:
    stopped = rule("b", ended(KeyboardInterrupt()))
    state, found = outcomes(rule("a", lambda _: None), stopped, rule("c", lambda _: None))
    assert ("interrupted", ["pass", "not_checked", "not_checked"]) == (state, [one.result for one in found])


def test_a_server_that_hangs_on_one_rule_is_checked_for_the_others() -> None:
    never = threading.Event()

    def after(request: Request, reply: Reply) -> Reply:
        if request.path.endswith("/infer"):
            never.wait(60)
        return reply

    with fake_server(Defect(after=after)) as url:
        found = conform(url, ask=ONE, rules=("infer.json.answers", "metadata.model.answers"), timeout_ns=SHORT_NS)
        never.set()
    assert {"metadata.model.answers": "pass", "infer.json.answers": "fail"} == results(found)
    assert "no answer within 2.00 s" in found.outcomes[-1].reason


def test_a_server_that_dies_is_lost_and_that_is_a_failure() -> None:
    dead = threading.Event()

    def after(request: Request, reply: Reply) -> Reply | None:
        if request.path.endswith("/infer"):
            dead.set()
        return None if dead.is_set() else reply

    rules = ("metadata.model.answers", "infer.json.answers", "parameters.may")
    with fake_server(Defect(after=after)) as url:
        found = conform(url, ask=ONE, rules=rules, timeout_ns=SHORT_NS)
    assert ("lost", "fail") == (found.state, found.answer)
    assert {
        "metadata.model.answers": "pass", "infer.json.answers": "fail", "parameters.may-be-empty": "not_checked"
    } == results(found)  # fmt: skip


def test_what_builds_on_a_plain_request_is_skipped_when_that_fails_and_is_no_pass() -> None:
    with fake_server(
        Defect(after=lambda request, reply: replace(reply, status=500) if request.is_infer else reply)
    ) as url:
        found = conform(url, ask=ONE, rules=("errors.wrong-rank",))
    assert {"errors.wrong-rank-is-refused": "skipped"} == results(found)
    assert "cannot_tell" == found.answer
    assert "infer.json.answers" in found.outcomes[0].reason


def test_a_model_whose_answers_waver_is_not_held_against_itself() -> None:
    counter = iter(range(1000))

    def after(request: Request, reply: Reply) -> Reply:
        if request.is_infer and reply.status == 200:
            entry = reply.document["outputs"][0]
            reply.document["outputs"][0] = {**entry, "data": [float(next(counter))] * len(entry["data"])}
        return reply

    with fake_server(Defect(after=after)) as url:
        found = conform(url, ask=ONE, rules=("infer.json.nested",))
    assert {"infer.json.nested-data-mean-the-same": "not_offered"} == results(found)
    assert "differently each time" in found.outcomes[0].reason


def test_metadata_that_describe_nothing_fail_their_rule_and_skip_what_needs_them() -> None:
    def after(request: Request, reply: Reply) -> Reply:
        return replace(reply, document={"name": "single"}) if request.path.endswith("models/single") else reply

    with fake_server(Defect(after=after)) as url:
        found = conform(url, ask=ONE, rules=("metadata.model.inputs", "infer.json.answers", "infer.binary.answers"))
    assert ["fail", "skipped", "skipped"] == [one.result for one in found.outcomes]


def test_models_are_those_that_the_server_lists_and_rules_of_the_server_are_checked_once() -> None:
    with fake_server() as url:
        found = conform(url, rules=("health.live.answers", "metadata.model.answers"))
    assert ("bfloat", "half", "numbers", "single", "texts") == found.models
    assert ["", *found.models] == [one.model for one in found.outcomes]


def test_the_list_of_models_that_kserve_has_is_understood() -> None:
    def after(request: Request, reply: Reply) -> Reply:
        if request.path == "/v2/models":
            return Reply(200, {"models": ["single"]})
        return Reply(404, {"error": "no"}) if request.path.endswith("index") else reply

    with fake_server(Defect(after=after)) as url:
        assert ("single",) == conform(url, rules=("metadata.model.answers",)).models


def test_a_server_without_a_list_wants_a_name() -> None:
    hidden = Defect(after=lambda request, reply: Reply(404, {}) if request.path.endswith("index") else reply)
    with fake_server(hidden) as url, pytest.raises(UsageError, match="does not list its models"):
        conform(url)


@pytest.mark.parametrize("index", (None, 5, ["single"], [{"name": None}], [{"name": ""}], [{"name": "\ud800"}]))
def test_a_list_that_is_none_wants_a_name(index: object) -> None:
    def after(request: Request, reply: Reply) -> Reply:
        return Reply(200, index) if request.path.endswith("index") else reply

    with fake_server(Defect(after=after)) as url, pytest.raises(UsageError, match="does not list its models"):
        conform(url)


def test_a_name_that_was_mistyped_is_no_verdict() -> None:
    with fake_server() as url, pytest.raises(TargetError, match="serves no model 'singel'") as caught:
        conform(url, ask=Ask(model="singel"))
    assert "'single', 'texts'" in caught.value.why


def test_a_listed_model_without_metadata_is_one() -> None:
    silent = Defect(after=lambda request, reply: Reply(404, {}) if request.path == "/v2/models/single" else reply)
    with fake_server(silent) as url:
        found = conform(url, ask=Ask(model="single"), rules=("metadata.model.answers",))
    assert "fail" == found.answer


@pytest.mark.parametrize("code", (401, 403))
def test_a_server_that_does_not_let_us_in_is_no_verdict(code: int) -> None:
    closed = Defect(after=lambda _, reply: replace(reply, status=code))
    with fake_server(closed) as url, pytest.raises(TargetError, match="does not let us in"):
        conform(url)


def test_keys_are_sent_and_never_shown() -> None:
    seen: list[str] = []

    def after(request: Request, reply: Reply) -> Reply:
        seen.append(request.headers.get("authorization", ""))
        return reply

    access = Access(headers=(("Authorization", "Bearer s3cret"),))
    with fake_server(Defect(after=after)) as url:
        found = conform(url, ask=Ask(model="single", access=access), rules=("health", "http", "infer.json"))
    assert {"Bearer s3cret"} == set(seen)
    assert "s3cret" not in str(found)


def test_a_port_that_nobody_listens_on_is_unreachable() -> None:
    with fake_server() as url:
        pass
    with pytest.raises(TargetError, match="cannot reach"):
        conform(url)


def test_rules_that_are_not_there_are_named() -> None:
    with pytest.raises(UsageError, match="no rule begins with") as caught:
        conform("http://127.0.0.1:1", rules=("infer.jsn",))
    assert "infer.json" in caught.value.hint


def test_rows_of_the_user_are_sent_instead_of_made_ones(tmp_path: object) -> None:
    from pathlib import Path

    import numpy as np

    path = Path(str(tmp_path)) / "rows.npy"
    np.save(path, np.array([[7.25, 8.5, 9.75]] * 3, np.float32))
    with fake_server() as url:
        found = conform(url, ask=Ask(model="single", data=path), rules=("infer.json.answers",))
    assert "7.25,8.5,9.75" in found.outcomes[0].request


def test_data_of_one_model_want_its_name() -> None:
    with fake_server() as url, pytest.raises(UsageError, match="the data are for one of the models"):
        conform(url, ask=Ask(data="rows.npy"))


def results(found: Conformance) -> dict[str, str]:
    return {one.rule: one.result for one in found.outcomes}
