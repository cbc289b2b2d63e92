from xml.etree import ElementTree as ET

from msgspec.structs import replace
from tests.reports import comparisons, samples

from modeldyno.records.comparison import Comparison
from modeldyno.records.verdict import Answer, MeasurementVerdict, ObjectiveVerdict
from modeldyno.reports.junit import comparison_junit, run_junit

ANSWERS: dict[str, Answer] = {"p99<20ms": "pass", "p50<1ms": "fail", "error_rate<1%": "cannot_tell"}


def cases(document: bytes) -> dict[str, str]:
    """Each case's name and the tag of its result."""
    root = ET.fromstring(document)  # noqa: S314 - our own output
    found = {str(case.get("name")): case[0].tag for case in root.iter("testcase")}
    assert str(len(found)) == root.get("tests")
    assert str(list(found.values()).count("failure")) == root.get("failures")
    assert str(list(found.values()).count("error")) == root.get("errors")
    return found


def test_each_metric_of_a_comparison_is_a_case() -> None:
    assert {
        "the measurement is valid": "system-out",
        "p99": "failure",
        "throughput": "system-out",
        "error_rate": "failure",
    } == cases(comparison_junit(comparisons.regression()))


def test_what_cannot_be_told_is_an_error_and_not_a_pass() -> None:
    assert "error" == cases(comparison_junit(comparisons.undecided()))["p99.9"]
    assert "error" == cases(comparison_junit(comparisons.invalid()))["the measurement is valid"]


def test_each_objective_of_a_run_is_a_case() -> None:
    verdicts = tuple(
        ObjectiveVerdict(objective=text, verdict=answer, measured=None, evidence="as seen")
        for text, answer in ANSWERS.items()
    )
    run = replace(samples.run(), verdict=MeasurementVerdict(measurement="valid", reasons=(), objectives=verdicts))
    assert ["system-out", "system-out", "failure", "error"] == list(cases(run_junit(run)).values())


def test_a_run_that_was_not_judged_is_an_error() -> None:
    assert {"the measurement is valid": "error"} == cases(run_junit(replace(samples.run(), verdict=None)))


def nasty() -> Comparison:
    found = comparisons.regression()
    source = f"{samples.NASTY}]]>\x00\x1b"
    return replace(found, a=replace(found.a, source=source), metrics=(replace(found.metrics[0], evidence=source),))


def test_names_and_evidence_are_escaped() -> None:
    document = comparison_junit(nasty())
    assert b"<script>" not in document
    root = ET.fromstring(document)  # noqa: S314 - our own output
    suite = root.find("testsuite")
    assert suite is not None
    assert samples.NASTY in str(suite.get("name"))
