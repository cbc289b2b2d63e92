"""Each rule is seen to fail on a server with a defect that it is about."""

from dataclasses import replace

import pytest
from tests.conformance.defects import ACCEPTS, DEFECTS, FAULTS, OTHER_SHAPE
from tests.conformance.fake_http import Defect, Reply, Request, fake_server

from modeldyno.api.conforming import conform
from modeldyno.api.load.questions.ask import Ask
from modeldyno.conformance.rules import ALL_RULES
from modeldyno.records.conformance import Conformance

HTTP_RULES = [rule for rule in ALL_RULES if rule.transport == "http"]
REFUSALS = [rule.name for rule in HTTP_RULES if "is refused with a status 4xx" in rule.says]
TIMEOUT_NS = 2_000_000_000


def results(found: Conformance, rule: str) -> set[str]:
    return {one.result for one in found.outcomes if one.rule == rule}


def checked(defect: Defect, rule: str) -> Conformance:
    with fake_server(defect) as url:
        # The index is where models are found, so what it lacks is only missed by one who knows the name.
        model = "texts" if rule == "extensions.repository.lists-the-model" else None
        return conform(url, rules=(rule,), ask=Ask(model=model), timeout_ns=TIMEOUT_NS)


def test_there_is_a_defect_for_every_rule() -> None:
    assert {rule.name for rule in HTTP_RULES} == set(DEFECTS) | set(REFUSALS)


@pytest.mark.parametrize("rule", [name for name in DEFECTS if name != "errors.leave-the-server-as-it-was"])
def test_a_rule_fails_on_a_server_that_breaks_it(rule: str) -> None:
    found = checked(DEFECTS[rule], rule)
    assert "fail" in results(found, rule)
    failed = next(one for one in found.outcomes if one.result == "fail")
    assert failed.expected
    assert failed.reason


@pytest.mark.parametrize("defect", (ACCEPTS, OTHER_SHAPE, FAULTS), ids=("accepts", "other-shape", "faults"))
@pytest.mark.parametrize("rule", REFUSALS)
def test_what_is_to_be_refused_must_be_so_with_4xx_and_an_error_object(rule: str, defect: Defect) -> None:
    assert "fail" in results(checked(defect, rule), rule)


def test_a_server_that_bad_requests_have_spoilt_is_found() -> None:
    spoilt: list[bool] = []

    def after(_: Request, reply: Reply) -> Reply:
        if reply.status == 400:
            spoilt.append(True)
        elif spoilt and isinstance(reply.document, dict) and "outputs" in reply.document:
            reply = replace(reply, document={**reply.document, "outputs": reply.document["outputs"][:0]})
        return reply

    rule = "errors.leave-the-server-as-it-was"
    assert "fail" in results(checked(Defect(after=after), rule), rule)
