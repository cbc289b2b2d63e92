"""A conformance check as JUnit XML: one test case a rule, in a class for each group.

What is not offered is skipped; what could not be judged is an error, so that it does not look like a pass. A failure's
type is the severity of its rule: only required ones decide the exit code. See `junit` for the format.
"""

from xml.etree.ElementTree import Element, SubElement, indent, tostring  # only written, never parsed

from modeldyno.records.conformance import Conformance, RuleOutcome, count_results
from modeldyno.reports.conformance import evidence_text, outcome_name
from modeldyno.reports.wording import printable


def conformance_junit(found: Conformance) -> bytes:
    """One case a rule and model."""
    results = count_results(found.outcomes)
    counts = {
        "tests": str(len(found.outcomes)),
        "failures": str(results["fail"]),
        "errors": str(results["skipped"] + results["not_checked"]),
        "skipped": str(results["not_offered"]),
    }
    root = Element("testsuites", counts)
    name = f"dyno conform {found.url or found.grpc_url}"
    moment = found.checked_at.partition("+")[0]
    suite = SubElement(root, "testsuite", {"name": printable(name), "timestamp": moment, **counts})
    for one in found.outcomes:
        _add_case(suite, one, found)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _add_case(suite: Element, outcome: RuleOutcome, found: Conformance) -> None:
    group = f"dyno.conform.{outcome.rule.partition('.')[0]}"
    case = SubElement(suite, "testcase", name=printable(outcome_name(outcome, found)), classname=group)
    evidence = printable(evidence_text(outcome))
    match outcome.result:
        case "pass":
            SubElement(case, "system-out").text = evidence
        case "fail":
            SubElement(case, "failure", message=evidence, type=outcome.severity)
        case "not_offered":
            SubElement(case, "skipped", message=evidence)
        case _:
            SubElement(case, "error", message=evidence, type=outcome.result)
