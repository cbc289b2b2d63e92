"""Rules that a server must refuse something."""

from modeldyno.conformance.rule import Check, Rule
from modeldyno.conformance.sources import rfc
from modeldyno.records.conformance import Severity


def refusal(
    name: str, what: str, source: str, check: Check, *, severity: Severity = "required", advice: str = ""
) -> Rule:
    """A rule that something is refused with a status 4xx and the protocol's error object.

    Args:
        name: of the rule.
        what: is refused.
        source: see `sources`.
        check: sends it, and demands the refusal.
        severity: of the rule.
        advice: what to do about a failure.
    """
    return Rule(
        name=name,
        says=f'{what} is refused with a status 4xx and {{"error": "..."}}',
        source=f"{source}; {rfc(9110, '15.5')} (the status)",
        severity=severity,
        check=check,
        advice=advice,
    )
