"""Whether a model is ready: decided from what its instances do and what became of its last batches, never a flag."""

from collections.abc import Sequence
from typing import NamedTuple

FAILURES = 3
"""Batches that fail one after another before the model itself is doubted; fewer can be the fault of what was asked."""
ASK_EVERY_NS = 10**9
"""How often a model in doubt is asked its own sample."""
FORGET_NS = 10 * 10**9
"""After so long without a further failure, a model that has no sample gets another chance."""


class Pulse(NamedTuple):
    """What an instance that works does now."""

    is_busy: bool
    late_ns: int = 0
    """When it should have been done with what it computes, with a wide margin; of an idle one it does not matter."""


class Outcomes(NamedTuple):
    """What became of the last batches."""

    failures: int = 0
    """In a row, up to `failed_ns`."""
    failed_ns: int = 0
    """The last failure; 0 when there was none."""
    succeeded_ns: int = 0
    """The last success; 0 when there was none."""
    sample_failed: bool = False
    """Whether one of the failures was the model's own sample, which it is known to have answered."""

    def after_failure(self, now_ns: int, *, of_sample: bool) -> "Outcomes":
        """With one failure more."""
        if self.succeeded_ns > self.failed_ns:
            return self._replace(failures=1, failed_ns=now_ns, sample_failed=of_sample)
        return self._replace(
            failures=self.failures + 1, failed_ns=now_ns, sample_failed=self.sample_failed or of_sample
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether so much has failed, and nothing succeeded since, that the model should be asked its sample."""
        return self.failures >= FAILURES and self.succeeded_ns <= self.failed_ns


def trouble_of(pulses: Sequence[Pulse], outcomes: Outcomes, *, has_sample: bool, now_ns: int) -> str | None:
    """Why a model is not ready; None when it is.

    Failures alone do not tell whether the model is at fault or who asks it, so that one client could make it look
    broken for all; its own sample tells. Only a model without one is judged by its failures.

    Args:
        pulses: of the instances that work; those that were given up are not among them.
        outcomes: of its batches.
        has_sample: whether there is a sample to ask.
        now_ns: the present.
    """
    if not pulses:
        return "every instance of the model hangs"
    if all(pulse.is_busy and now_ns > pulse.late_ns for pulse in pulses):
        return "no instance of the model makes progress"
    if not outcomes.is_doubtful:
        return None
    if outcomes.sample_failed:
        return f"{outcomes.failures} batches in a row failed, the model's own sample among them"
    if not has_sample and now_ns - outcomes.failed_ns < FORGET_NS:
        return f"{outcomes.failures} batches in a row failed"
    return None


def late_ns(idle_at_ns: int, stalled_at_ns: int) -> int:
    """When a batch is late: half way from when it should be done to when its instance is given up."""
    return (idle_at_ns + stalled_at_ns) // 2
