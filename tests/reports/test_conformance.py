from xml.etree import ElementTree as ET

import pytest
from tests.reports import conformances

from modeldyno.records.conformance import Conformance
from modeldyno.reports.conformance import conformance_headline
from modeldyno.reports.conformance_junit import conformance_junit
from modeldyno.reports.terminal.conformance import conformance_text


def test_a_case_of_junit_is_a_rule_and_what_is_not_offered_is_skipped() -> None:
    root = ET.fromstring(conformance_junit(conformances.broken()))  # noqa: S314 - our own output
    cases = {case.get("name"): case[0] for case in root.iter("testcase")}
    assert ("7", "4", "0", "1") == tuple(root.get(name) for name in ("tests", "failures", "errors", "skipped"))
    assert "system-out" == cases["infer.json.answers (digits)"].tag
    assert "skipped" == cases["infer.binary.answers (digits)"].tag
    failed = cases["errors.wrong-datatype-is-refused (texts)"]
    assert ("failure", "required") == (failed.tag, failed.get("type"))
    assert "expected a status 4xx" in str(failed.get("message"))
    assert "asked: POST" in str(failed.get("message"))


def test_what_could_not_be_judged_is_an_error_of_junit_and_no_pass() -> None:
    root = ET.fromstring(conformance_junit(conformances.lost()))  # noqa: S314 - our own output
    assert "1" == root.get("errors")


@pytest.mark.parametrize(
    ("found", "answer", "title"),
    (
        (conformances.kept(), "pass", "All 2 required rules kept"),
        (conformances.recommended_only(), "pass", "All 2 required rules kept"),
        (conformances.broken(), "fail", "1 required rule of 3 broken"),
        (conformances.skipped(), "cannot_tell", "1 required rule could not be judged"),
        (conformances.lost(), "fail", "The server stopped answering during http.1.0-is-answered"),
    ),
)
def test_required_rules_decide_the_verdict(found: Conformance, answer: str, title: str) -> None:
    headline = conformance_headline(found)
    assert (answer, title) == (headline.answer, headline.title)


def test_a_rule_that_several_models_break_is_told_once_with_their_names() -> None:
    text = conformance_text(conformances.broken())
    assert 1 == text.count("errors.wrong-datatype-is-refused (digits, texts)")
