"""What holds of all rules, whatever a server sends."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.fake_http import EXTENSIONS, FakeServer, Request

from modeldyno.conformance.endings import BrokenRuleError, NoAnswerError
from modeldyno.conformance.examination import examine
from modeldyno.conformance.http_wire import HttpWire, Reply
from modeldyno.conformance.rules import ALL_RULES, select_rules
from modeldyno.conformance.subject import ModelFacts, Subject
from modeldyno.conformance.survey import survey_http
from modeldyno.conformance.trail import Trail, excerpt
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.protocols import Silent
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.testing.clock import ManualClock

NAMES = (
    "outputs", "inputs", "name", "shape", "datatype", "data", "parameters", "binary_data_size", "error", "versions",
    "model_stats", "inference_stats", "success", "count", "input", "output", "dims", "data_type", "extensions",
    "inference_count", "max_batch_size", "model_version", "model_name", "id", "platform", "version",
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-3, 9) | st.just(2**70) | st.floats() | st.sampled_from(
    ("x", "y", "m", "FP32", "BYTES", "TYPE_FP32", "1", "", "\ud800")
)  # fmt: skip
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=30,
)  # fmt: skip
REPLIES = st.tuples(
    st.sampled_from((200, 200, 200, 400, 404, 405, 500)),
    DOCUMENTS.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=20),
    st.none() | st.sampled_from((b"0", b"2", b"x", b"-1", b"999")),
)
SIGNATURE = Signature(
    inputs=(
        TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),
        TensorSpec(name="n", datatype="INT32", shape=("batch",)),
        TensorSpec(name="t", datatype="BYTES", shape=("batch", 1)),
        TensorSpec(name="b", datatype="BOOL", shape=("batch", 1)),
    ),
    outputs=(
        TensorSpec(name="x", datatype="FP32", shape=("batch", 2)),
        TensorSpec(name="y", datatype="FP32", shape=("batch", 2)),
    ),
)


class Wire(HttpWire):
    """Answers with what it is given, over and over."""

    def __init__(self, replies: list[Any]) -> None:
        super().__init__("http://127.0.0.1:1", Access(), clock=ManualClock(), timeout_ns=1, trail=Trail())
        self._replies = [
            Reply(
                status,
                {} if length is None else {"inference-header-content-length": length.decode()},
                body,
                keeps_alive=True,
            )
            for status, body, length in replies
        ]
        self._next = 0

    def exchange(self, shown: str, content: bytes) -> Reply:
        self._next += 1
        return self.note(shown, self._replies[self._next % len(self._replies)])

    def connect(self) -> Any:
        raise NoAnswerError("not in this test")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(REPLIES, min_size=1, max_size=4))
def test_no_answer_whatever_makes_a_check_itself_fail(replies: list[Any]) -> None:
    wire = Wire(replies)
    facts = ModelFacts(name="m", signature=SIGNATURE, versions=("1",))
    subject = Subject(http=wire, grpc=None, extensions=("statistics", "binary_tensor_data"), facts=facts, seed=1)
    rules = [rule for rule in ALL_RULES if rule.transport == "http"]
    found = examine(rules, [subject], trail=wire.trail, progress=Silent())
    assert len(rules) == len(found.outcomes)
    json.dumps([one.got for one in found.outcomes])


class FickleWire(Wire):
    """The conforming server without its sockets, but some of its answers are others."""

    def __init__(self, replies: list[Any], pattern: list[bool]) -> None:
        super().__init__(replies)
        self._fake = FakeServer()
        self._pattern = pattern

    def exchange(self, shown: str, content: bytes) -> Reply:
        self._next += 1
        if self._pattern[self._next % len(self._pattern)]:
            return super().exchange(shown, content)
        head, _, body = content.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        answer = self._fake.answer(Request(line.split()[0], line.split()[1], headers, body))
        assert answer is not None
        document = json.dumps(answer.document).encode() if answer.body is None else answer.body
        tensors = {"inference-header-content-length": str(len(document))} if answer.tails else {}
        given_headers = {name.lower(): value for name, value in answer.headers.items()}
        whole = b"".join((document, *answer.tails))
        return self.note(shown, Reply(answer.status, {**tensors, **given_headers}, whole, keeps_alive=True))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(("numbers", "texts", "single", "half", "bfloat")),
    st.lists(REPLIES, min_size=1, max_size=4),
    st.lists(st.sampled_from((False, False, False, True)), min_size=1, max_size=9),
)
def test_no_answer_among_right_ones_makes_a_check_itself_fail(
    model: str, replies: list[Any], pattern: list[bool]
) -> None:
    wire = FickleWire(replies, pattern)
    facts = next(one for one in survey_http(FickleWire(replies, [False]), [model]).models)
    subject = Subject(http=wire, grpc=None, extensions=EXTENSIONS, facts=facts, seed=1)
    rules = [rule for rule in ALL_RULES if rule.transport == "http"]
    assert len(rules) == len(examine(rules, [subject], trail=wire.trail, progress=Silent()).outcomes)


@settings(max_examples=100, deadline=None)
@given(st.lists(REPLIES, min_size=1, max_size=3), st.sampled_from(([], ["m"])))
def test_no_metadata_whatever_make_the_survey_fail(replies: list[Any], models: list[str]) -> None:
    names, refusal = [], ""
    try:
        names = [facts.name for facts in survey_http(Wire(replies), models).models]
    except (TargetError, UsageError) as problem:
        refusal = problem.what
    if refusal:
        assert re.search("serves no model 'm'" if models else "does not list its models|does not let us in", refusal)
    else:
        assert not models or models == names


def test_names_are_unique_grouped_and_say_what_holds() -> None:
    names = [rule.name for rule in ALL_RULES]
    assert len(names) == len(set(names))
    assert all(name == name.lower() and name.count(".") >= 1 for name in names)


def test_every_rule_can_be_chosen_alone() -> None:
    assert all((rule,) == select_rules([rule.name]) for rule in ALL_RULES)


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)
def test_a_rule_says_what_holds_and_where_it_is_written(rule: Any) -> None:
    assert rule.says
    assert any(source in rule.source for source in ("specification/protocol/", "Triton", "RFC", "OWASP"))


def test_required_rules_are_those_of_the_specification() -> None:
    assert [] == [
        rule.name for rule in ALL_RULES if rule.severity == "required" and "specification/" not in rule.source
    ]


def test_a_prefix_selects_a_group() -> None:
    assert {"health"} == {rule.name.partition(".")[0] for rule in select_rules(["health"])}


@given(st.binary(max_size=400))
def test_an_excerpt_is_one_printable_line_of_bounded_length(content: bytes) -> None:
    text = excerpt(content)
    assert "\n" not in text
    assert len(text) < 360


def test_an_expectation_that_is_broken_shows_itself() -> None:
    assert "a list" == str(BrokenRuleError("a list"))
