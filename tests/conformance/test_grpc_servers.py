"""The rules of the gRPC form: all kept by a conforming server, each broken by one with a defect."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.fake_grpc import GrpcDefect, fake_grpc_server
from tests.conformance.fake_http import fake_server
from tests.conformance.fake_model import RefusedError

from modeldyno.api.conforming import conform
from modeldyno.api.load.questions.ask import Ask
from modeldyno.conformance.rules import ALL_RULES
from modeldyno.errors import TargetError
from modeldyno.records.conformance import Conformance
from modeldyno.wire.v2_messages import message_class

GRPC_RULES = [rule.name for rule in ALL_RULES if rule.transport == "grpc"]


def answers(method: str, change: Callable[[Any], None]) -> GrpcDefect:
    """A defect of the successful answers of a method."""

    def after(called: str, _: Any, answer: Any) -> Any:
        if called == method and not isinstance(answer, RefusedError):
            change(answer)
        return answer

    return GrpcDefect(after=after)


def requests(change: Callable[[Any], None]) -> GrpcDefect:
    """The server reads another inference request than was sent."""
    return GrpcDefect(before=lambda method, request: change(request) if method == "ModelInfer" else None)


def fails(method: str, holds: Callable[[Any], Any] = lambda _: True) -> GrpcDefect:
    def after(called: str, request: Any, answer: Any) -> Any:
        return RefusedError("no", 500) if called == method and holds(request) else answer

    return GrpcDefect(after=after)


def _accepts(method: str, _: Any, answer: Any) -> Any:
    return message_class(f"{method}Response")() if isinstance(answer, RefusedError) else answer


def _internal(_: str, __: Any, answer: Any) -> Any:
    return RefusedError(str(answer), 500) if isinstance(answer, RefusedError) else answer


def _says_ready(method: str, _: Any, answer: Any) -> Any:
    if method == "ModelReady" and isinstance(answer, RefusedError):
        return message_class("ModelReadyResponse")(ready=True)
    return answer


def _reversed(answer: Any) -> None:
    contents = [content[::-1] for content in answer.raw_output_contents]
    del answer.raw_output_contents[:]
    answer.raw_output_contents.extend(contents)


def _wrong_for_typed(_: str, request: Any, answer: Any) -> Any:
    if getattr(request, "inputs", None) and request.inputs[0].HasField("contents"):
        _reversed(answer)
    return answer


def _drop_outputs(request: Any) -> None:
    del request.outputs[:]


def _clear(field: str) -> Callable[[Any], None]:
    return lambda answer: answer.ClearField(field)


def _rename(answer: Any) -> None:
    answer.inputs[0].name = "other"


ACCEPTS = GrpcDefect(after=_accepts)
DEFECTS = {
    "grpc.server-live": answers("ServerLive", _clear("live")),
    "grpc.server-ready": fails("ServerReady"),
    "grpc.server-metadata": answers("ServerMetadata", _clear("version")),
    "grpc.model-ready": answers("ModelReady", _clear("ready")),
    "grpc.unknown-model-is-not-ready": GrpcDefect(after=_says_ready),
    "grpc.model-metadata": answers("ModelMetadata", _clear("outputs")),
    "grpc.metadata-agree-with-http": answers("ModelMetadata", _rename),
    "grpc.metadata-of-an-unknown-model-are-refused": ACCEPTS,
    "grpc.infer.raw-contents": fails("ModelInfer"),
    "grpc.infer.typed-contents-mean-the-same": GrpcDefect(after=_wrong_for_typed),
    "grpc.infer.outputs-are-raw-or-typed": answers("ModelInfer", lambda answer: answer.raw_output_contents.append(b"")),
    "grpc.infer.agrees-with-http": answers("ModelInfer", _reversed),
    "grpc.infer.names-the-model": answers("ModelInfer", _clear("model_name")),
    "grpc.infer.id-is-echoed": answers("ModelInfer", _clear("id")),
    "grpc.infer.id-of-any-text-is-echoed": fails("ModelInfer", lambda request: not request.id.isascii()),
    "grpc.infer.selected-outputs-only": requests(_drop_outputs),
    "grpc.infer.of-a-version": answers("ModelInfer", _clear("model_version")),
    "grpc.infer.parameters-are-tolerated": fails("ModelInfer", lambda request: request.parameters),
    "grpc.errors.codes-tell-the-kind": GrpcDefect(after=_internal),
    "grpc.extensions.repository-lists-the-model": answers("RepositoryIndex", _clear("models")),
}
REFUSALS = [name for name in GRPC_RULES if name.startswith("grpc.errors.") and name.endswith("-refused")]


def results(found: Conformance, rule: str) -> set[str]:
    return {one.result for one in found.outcomes if one.rule == rule}


def test_a_conforming_server_breaks_no_rule_and_keeps_each_with_one_model_at_least() -> None:
    with fake_server() as url, fake_grpc_server() as grpc_url:
        found = conform(url, grpc_url=grpc_url, rules=("grpc",))
    assert [] == [one for one in found.outcomes if one.result not in ("pass", "not_offered")]
    assert set(GRPC_RULES) == {one.rule for one in found.outcomes if one.result == "pass"}


def test_the_grpc_form_can_be_checked_alone() -> None:
    with fake_grpc_server() as url:
        found = conform(url)
    assert "pass" == found.answer
    assert {"not_offered"} == results(found, "health.live.answers")
    assert {"not_offered"} == results(found, "grpc.infer.agrees-with-http")
    assert {"pass"} == results(found, "grpc.infer.raw-contents")


def test_a_name_that_was_mistyped_is_no_verdict_on_a_grpc_server() -> None:
    with fake_grpc_server() as url, pytest.raises(TargetError, match="serves no model 'numbres'") as caught:
        conform(url, ask=Ask(model="numbres"))
    assert "'numbers'" in caught.value.why


def test_there_is_a_defect_for_every_rule() -> None:
    assert set(GRPC_RULES) == {*DEFECTS, *REFUSALS, "grpc.errors.leave-the-server-as-it-was"}


@pytest.mark.parametrize("rule", DEFECTS)
def test_a_rule_fails_on_a_server_that_breaks_it(rule: str) -> None:
    with fake_server() as url, fake_grpc_server(DEFECTS[rule]) as grpc_url:
        found = conform(url, grpc_url=grpc_url, rules=(rule,), ask=Ask(model="numbers"))
    assert {"fail"} == results(found, rule)


@pytest.mark.parametrize("rule", REFUSALS)
def test_what_is_to_be_refused_must_be_so(rule: str) -> None:
    model = "bfloat" if "halves" in rule else "numbers"
    with fake_server() as url, fake_grpc_server(ACCEPTS) as grpc_url:
        found = conform(url, grpc_url=grpc_url, rules=(rule,), ask=Ask(model=model))
    assert {"fail"} == results(found, rule)


@pytest.mark.parametrize(("defect", "result"), ((GrpcDefect(), "pass"), (answers("ModelInfer", _reversed), "fail")))
def test_a_model_without_a_json_form_is_held_against_its_binary_answers(defect: GrpcDefect, result: str) -> None:
    rule = "grpc.infer.agrees-with-http"
    with fake_server() as url, fake_grpc_server(defect) as grpc_url:
        found = conform(url, grpc_url=grpc_url, rules=(rule,), ask=Ask(model="bfloat"))
    assert {result} == results(found, rule)


def test_a_server_that_bad_calls_have_spoilt_is_found() -> None:
    spoilt: list[bool] = []

    def after(_: str, __: Any, answer: Any) -> Any:
        if isinstance(answer, RefusedError):
            spoilt.append(True)
        return RefusedError("spoilt", 500) if spoilt else answer

    rule = "grpc.errors.leave-the-server-as-it-was"
    with fake_server() as url, fake_grpc_server(GrpcDefect(after=after)) as grpc_url:
        found = conform(url, grpc_url=grpc_url, rules=(rule,), ask=Ask(model="numbers"))
    assert {"fail"} == results(found, rule)


def test_rules_of_the_grpc_form_are_not_offered_without_an_address() -> None:
    with fake_server() as url:
        found = conform(url, rules=("grpc",), ask=Ask(model="single"))
    assert {"not_offered"} == {one.result for one in found.outcomes}
