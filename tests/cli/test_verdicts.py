import pytest
from msgspec.structs import replace

from modeldyno.cli.verdicts import code_of_measurement
from modeldyno.errors import ExitCode
from modeldyno.records.answers import NO_WRONG_ANSWER
from modeldyno.records.scenario import ScenarioCheck, ScenarioResult, ScenarioRule, scenario_of
from modeldyno.records.verdict import Answer, MeasurementVerdict, ObjectiveVerdict

VALID = MeasurementVerdict(measurement="valid", reasons=())


def judged(*unmet: ScenarioRule) -> ScenarioResult:
    return ScenarioResult(
        scenario=scenario_of("server", target_latency_ns=1),
        result="invalid" if unmet else "valid",
        checks=tuple(ScenarioCheck(rule=rule, is_met=False, evidence="as seen") for rule in unmet),
        queries=1,
        samples=1,
        latency_ns=None,
        samples_per_s=1.0,
    )


def objective(answer: Answer, text: str = "p99<1ms") -> MeasurementVerdict:
    one = ObjectiveVerdict(objective=text, verdict=answer, measured=None, evidence="as seen")
    return replace(VALID, objectives=(one,))


@pytest.mark.parametrize(
    ("verdict", "scenario", "code"),
    (
        (VALID, None, ExitCode.OK),
        (VALID, judged(), ExitCode.OK),
        (VALID, judged("duration"), ExitCode.NOT_VALID),
        (VALID, judged("early_stopping"), ExitCode.NOT_VALID),
        (VALID, judged("target_latency", "early_stopping"), ExitCode.OBJECTIVE_FAILED),
        (VALID, judged("failures"), ExitCode.OBJECTIVE_FAILED),
        (objective("fail"), judged(), ExitCode.OBJECTIVE_FAILED),
        (objective("fail"), judged("duration"), ExitCode.OBJECTIVE_FAILED),
        (objective("cannot_tell"), judged(), ExitCode.NOT_VALID),
        (replace(VALID, measurement="invalid"), judged(), ExitCode.NOT_VALID),
        (replace(VALID, measurement="invalid"), judged("target_latency"), ExitCode.NOT_VALID),
        (replace(objective("fail"), measurement="invalid"), None, ExitCode.NOT_VALID),
        (replace(objective("fail", NO_WRONG_ANSWER), measurement="invalid"), None, ExitCode.OBJECTIVE_FAILED),
        (replace(objective("pass", NO_WRONG_ANSWER), measurement="invalid"), None, ExitCode.NOT_VALID),
    ),
)
def test_the_exit_code_tells_what_failed_from_what_cannot_be_told(
    verdict: MeasurementVerdict, scenario: ScenarioResult | None, code: ExitCode
) -> None:
    assert code == code_of_measurement(verdict, scenario)
