from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace
from tests.reports import samples, scenarios

from modeldyno.records.run import Run
from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict
from modeldyno.reports.headline import run_headline
from modeldyno.reports.junit import run_junit
from modeldyno.reports.markdown import run_markdown
from modeldyno.reports.page.run_page import run_page
from modeldyno.reports.scenario import NOT_OFFICIAL
from modeldyno.reports.terminal.run import run_text

RUNS: tuple[Callable[[], Run], ...] = (
    scenarios.valid_server,
    scenarios.missed_server,
    scenarios.short_single_stream,
    scenarios.valid_multi_stream,
    scenarios.failed_offline,
)


def with_objective(run: Run, answer: ObjectiveVerdict) -> Run:
    return replace(run, verdict=MeasurementVerdict(measurement="valid", reasons=(), objectives=(answer,)))


@pytest.mark.parametrize("make", RUNS)
@pytest.mark.parametrize("tell", (run_text, run_markdown, lambda run: run_page(run, scenarios.ROWS)))
def test_every_report_says_that_it_is_not_official(make: Callable[[], Run], tell: Callable[[Run], str]) -> None:
    text = " ".join(tell(make()).replace("&#39;", "'").split())
    assert NOT_OFFICIAL in text
    assert make().scenario is not None
    assert f"MLPerf {make().scenario.scenario.title}: {make().scenario.result.upper()}" in text  # type: ignore[union-attr]


def test_no_report_of_another_load_speaks_of_mlperf() -> None:
    assert "MLPerf" not in run_text(samples.run()) + run_markdown(samples.run())
    assert "MLPerf" not in run_page(samples.run(), scenarios.ROWS)


@pytest.mark.parametrize(
    ("make", "answer"),
    ((RUNS[0], "pass"), (RUNS[1], "fail"), (RUNS[2], "cannot_tell"), (RUNS[3], "pass"), (RUNS[4], "fail")),
)
def test_the_scenario_is_the_headline(make: Callable[[], Run], answer: str) -> None:
    run = make()
    headline = run_headline(run)
    assert answer == headline.answer
    assert headline.title.startswith("MLPerf")
    assert headline.detail.endswith(".")


def test_a_measurement_that_is_not_valid_comes_before_a_valid_scenario() -> None:
    invalid = MeasurementVerdict(measurement="invalid", reasons=("the client was starved",))
    run = replace(scenarios.valid_server(), verdict=invalid)
    assert "The measurement is not valid" == run_headline(run).title
    assert "MLPerf Server: VALID under a minimum duration of 10 s; MLPerf asks for 600 s" in run_text(run)


def test_an_objective_that_failed_is_the_headline_of_a_valid_scenario() -> None:
    failed = ObjectiveVerdict(objective="p50<1us", verdict="fail", measured=None, evidence="p50 754 µs")
    assert "fail" == run_headline(with_objective(scenarios.valid_server(), failed)).answer
    met = run_headline(with_objective(scenarios.valid_server(), replace(failed, verdict="pass")))
    assert "MLPerf Server: VALID" == met.title
    assert met.detail.endswith("MLPerf asks for 600 s. The objective is met.")


def test_a_full_minimum_duration_needs_no_word() -> None:
    assert "under a minimum" not in run_text(scenarios.short_single_stream())


@pytest.mark.parametrize(("make", "tag"), ((RUNS[0], "system-out"), (RUNS[1], "failure"), (RUNS[2], "error")))
def test_the_scenario_is_a_case_for_continuous_integration(make: Callable[[], Run], tag: str) -> None:
    cases = list(ET.fromstring(run_junit(make())).iter("testcase"))  # noqa: S314 - our own output
    assert str(cases[-1].get("name")).startswith("MLPerf ")
    assert tag == cases[-1][0].tag
