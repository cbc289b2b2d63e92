"""From verdicts to exit codes."""

from collections.abc import Iterable

from modeldyno.errors import ExitCode
from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict


def code_of_objectives(verdicts: Iterable[ObjectiveVerdict]) -> ExitCode:
    """3 when one failed, 4 when one cannot be told, else 0."""
    answers = {verdict.verdict for verdict in verdicts}
    if "fail" in answers:
        return ExitCode.OBJECTIVE_FAILED
    return ExitCode.NOT_VALID if "cannot_tell" in answers else ExitCode.OK


def code_of_measurement(verdict: MeasurementVerdict) -> ExitCode:
    """4 when the measurement is not valid, whatever its objectives say; else the code of the objectives."""
    return ExitCode.NOT_VALID if verdict.measurement == "invalid" else code_of_objectives(verdict.objectives)
