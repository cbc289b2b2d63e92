"""JUnit XML for continuous integration: one test case a metric or objective, red for what failed or cannot be told.

The format has no specification; this is the part that Jenkins, GitLab and GitHub actions all read
(https://github.com/testmoapp/junitxml describes it). What cannot be told is an `error`: a check that did not decide
must not look like one that passed.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring  # only written, never parsed

from modeldyno.records.base import Record
from modeldyno.records.comparison import Comparison
from modeldyno.records.run import Run
from modeldyno.records.verdict import Answer
from modeldyno.reports.scenario import outcome_text, unmet_text
from modeldyno.reports.wording import printable


class _Case(Record, frozen=True, kw_only=True):
    name: str
    answer: Answer
    evidence: str


def comparison_junit(comparison: Comparison) -> bytes:
    """One case for the validity of the comparison, one a metric."""
    cases = [_validity(comparison.measurement == "valid", comparison.reasons)]
    cases += [_Case(name=one.metric, answer=one.regression, evidence=one.evidence) for one in comparison.metrics]
    return _document(f"dyno compare {comparison.a.source} {comparison.b.source}", comparison.compared_at, cases)


def run_junit(run: Run) -> bytes:
    """One case for the validity of the measurement, one an objective, one for the scenario if there is one."""
    if run.verdict is None:
        cases = [_validity(is_valid=False, reasons=(f"the run is marked {run.state} and was not judged",))]
    else:
        cases = [_validity(run.verdict.measurement == "valid", run.verdict.reasons)]
        cases += [
            _Case(name=one.objective, answer=one.verdict, evidence=one.evidence) for one in run.verdict.objectives
        ]
        if run.scenario is not None:
            evidence = unmet_text(run.scenario) or outcome_text(run.scenario)
            name = f"MLPerf {run.scenario.scenario.title} scenario"
            cases.append(_Case(name=name, answer=run.scenario.answer, evidence=evidence))
    return _document(f"dyno load {run.requested.url} {run.requested.model}", run.started_at, cases)


def _validity(is_valid: bool, reasons: Sequence[str]) -> _Case:  # noqa: FBT001 - the only thing it says
    return _Case(
        name="the measurement is valid",
        answer="pass" if is_valid else "cannot_tell",
        evidence="; ".join(reasons) or "every check of the measurement passed",
    )


def _document(name: str, moment: str, cases: Sequence[_Case]) -> bytes:
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(one.answer == "fail" for one in cases)),
        "errors": str(sum(one.answer == "cannot_tell" for one in cases)),
    }
    root = Element("testsuites", counts)
    suite = SubElement(root, "testsuite", {"name": printable(name), "timestamp": moment.partition("+")[0], **counts})
    for case in cases:
        written = SubElement(suite, "testcase", name=printable(case.name), classname="dyno")
        if case.answer == "pass":
            SubElement(written, "system-out").text = printable(case.evidence)
            continue
        tag = "failure" if case.answer == "fail" else "error"
        SubElement(written, tag, message=printable(case.evidence), type=case.answer)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
