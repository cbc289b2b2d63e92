"""Holding subjects against rules, one check at a time, each on its own."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from modeldyno.conformance.endings import BrokenRuleError, NoAnswerError, NotOfferedError, SkippedError
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.subject import Subject
from modeldyno.conformance.trail import Trail
from modeldyno.protocols import Progress
from modeldyno.records.conformance import RuleOutcome, RuleResult

_LIVES = 3
"""How often a server is asked whether it still lives, each time within the time limit."""


class Examined(NamedTuple):
    """What came of all checks."""

    state: Literal["complete", "lost", "interrupted"]
    outcomes: tuple[RuleOutcome, ...]


class _Task(NamedTuple):
    rule: Rule
    subject: Subject

    @property
    def model(self) -> str:
        return "" if self.rule.scope == "server" else self.subject.model


def examine(rules: Sequence[Rule], subjects: Sequence[Subject], *, trail: Trail, progress: Progress) -> Examined:
    """Hold each subject against each rule; those about the server only the first one.

    A server that stops answering is lost, and the rest is not checked; nor is it when the user interrupts.

    Args:
        rules: in their order.
        subjects: at least one.
        trail: of the wires of all subjects.
        progress: told how far it is.
    """
    tasks = list(_tasks(rules, subjects))
    outcomes: list[RuleOutcome] = []
    state: Literal["complete", "lost", "interrupted"] = "complete"
    progress.start("checking the protocol", len(tasks))
    try:
        for number, task in enumerate(tasks):
            progress.advance(number, task.rule.name)
            outcome, had_no_answer = _check(task, trail)
            outcomes.append(outcome)
            if had_no_answer and not _lives(task.subject):
                state = "lost"
                break
    except KeyboardInterrupt:
        state = "interrupted"
    progress.end()
    reason = {"lost": "the server stopped answering before it", "interrupted": "stopped by the user before it"}
    rest = [_outcome(task, "not_checked", trail, reason=reason[state]) for task in tasks[len(outcomes) :]]
    return Examined(state, (*outcomes, *rest))


def _tasks(rules: Iterable[Rule], subjects: Sequence[Subject]) -> Iterable[_Task]:
    for rule in rules:
        for subject in subjects[:1] if rule.scope == "server" else subjects:
            yield _Task(rule, subject)


def _check(task: _Task, trail: Trail) -> tuple[RuleOutcome, bool]:
    """The outcome, and whether the server gave no answer."""
    trail.start()
    try:
        _ = task.subject.http if task.rule.transport == "http" else task.subject.grpc  # raises when not to be checked
        task.rule.check(task.subject)
    except BrokenRuleError as broken:
        reason = broken.got or "the answer is another"
        return _outcome(task, "fail", trail, reason=reason, expected=broken.expected), False
    except NoAnswerError as problem:
        return _outcome(task, "fail", trail, reason=str(problem), expected="an answer"), True
    except NotOfferedError as missing:
        return _outcome(task, "not_offered", trail, reason=str(missing)), False
    except SkippedError as missing:
        return _outcome(task, "skipped", trail, reason=str(missing)), False
    return _outcome(task, "pass", trail), False


def _outcome(task: _Task, result: RuleResult, trail: Trail, *, reason: str = "", expected: str = "") -> RuleOutcome:
    rule = task.rule
    step = trail.last
    was_sent = result in ("pass", "fail")
    return RuleOutcome(
        rule=rule.name,
        says=rule.says,
        source=rule.source,
        severity=rule.severity,
        model=task.model,
        result=result,
        reason=reason,
        request=step.request if was_sent else "",
        expected=expected,
        got=step.got if was_sent else "",
        advice=rule.advice if result == "fail" else "",
    )


def _lives(subject: Subject) -> bool:
    """Whether the server answers anything any more, on whichever of its forms is checked."""
    for _ in range(_LIVES):
        try:
            subject.ping()
        except NoAnswerError:
            continue
        except BrokenRuleError:
            return True  # a wrong answer is an answer
        return True
    return False
