"""From verdicts to exit codes."""

from collections.abc import Iterable

from modeldyno.errors import ExitCode
from modeldyno.records.answers import wrong_answers
from modeldyno.records.derivation import Derivation
from modeldyno.records.evaluation import Evaluation
from modeldyno.records.scenario import ScenarioResult
from modeldyno.records.verdict import Answer, MeasurementVerdict, ObjectiveVerdict


def code_of_objectives(verdicts: Iterable[ObjectiveVerdict]) -> ExitCode:
    """3 when one failed, 4 when one cannot be told, else 0."""
    return _code_of({verdict.verdict for verdict in verdicts})


def code_of_evaluation(evaluation: Evaluation) -> ExitCode:
    """The code of its objectives, and 3 too for a bundle of which something does not hold here."""
    answers = {one.verdict for one in evaluation.verdicts}
    recheck = evaluation.recheck
    return _code_of(answers if recheck is None else answers | {recheck.verdict})


def code_of_measurement(verdict: MeasurementVerdict, scenario: ScenarioResult | None = None) -> ExitCode:
    """4 when the measurement is not valid, whatever else it says; else the code of its objectives and its scenario.

    But 3 with a wrong answer in any case: it is a fact about the server, however well its times were measured.
    """
    if wrong_answers(verdict):
        return ExitCode.OBJECTIVE_FAILED
    if verdict.measurement == "invalid":
        return ExitCode.NOT_VALID
    answers = {one.verdict for one in verdict.objectives}
    return _code_of(answers if scenario is None else answers | {scenario.answer})


def code_of_compression(derivation: Derivation) -> ExitCode:
    """0 when something was made that meets every objective; else that of the objectives, or 2 when nothing was made."""
    if not derivation.made:
        return ExitCode.USAGE
    codes = [code_of_objectives(one.assessed.verdicts) for one in derivation.made]
    return min(codes)


def _code_of(answers: set[Answer]) -> ExitCode:
    if "fail" in answers:
        return ExitCode.OBJECTIVE_FAILED
    return ExitCode.NOT_VALID if "cannot_tell" in answers else ExitCode.OK
