"""Whether a model still computes: from its batches, and from its own sample where those fail."""

import logging
from collections.abc import Callable, Sequence

from modeldyno.clock import Clock
from modeldyno.policies.readiness import ASK_EVERY_NS, Outcomes, Pulse, trouble_of
from modeldyno.server.call import Answer, Call, Refusal
from modeldyno.server.loop import Handle, Loop
from modeldyno.wire.v2_request import InferRequest

_LOG = logging.getLogger("modeldyno.server")


class Soundness:
    """Drives the readiness policy with the real clock, on the loop's thread.

    The sample is a call that is over from the start: it is computed like any other, alone, and counted as nobody's
    request.

    Args:
        name: of the model, for the log.
        sample: makes the request with the model's sample; None: there is none.
        ask: puts a call in front of the queue, after those of the highest priority.
        withdraw: takes it back, if it still waits.
        pulses: what the instances that work do now.
        succeeded_ns: when a batch was computed last.
        loop: of the server.
        clock: of the server.
    """

    def __init__(
        self,
        name: str,
        sample: Callable[[], InferRequest] | None,
        *,
        ask: Callable[[Call], None],
        withdraw: Callable[[Call], object],
        pulses: Callable[[], Sequence[Pulse]],
        succeeded_ns: Callable[[], int],
        loop: Loop,
        clock: Clock,
    ) -> None:
        self._name = name
        self._sample = sample
        self._ask = ask
        self._withdraw = withdraw
        self._pulses = pulses
        self._succeeded_ns = succeeded_ns
        self._loop = loop
        self._clock = clock
        self._outcomes = Outcomes()
        self._asked: Call | None = None
        self._timer: Handle | None = None
        self._was_in_trouble = False

    @property
    def trouble(self) -> str | None:
        """Why the model is not ready; None when it is."""
        return trouble_of(self._pulses(), self._now(), has_sample=self._sample is not None, now_ns=self._clock.now_ns())

    def note_failure(self, call: Call, ended_ns: int) -> bool:
        """A call was computed in vain; whether it was the sample."""
        is_sample = call is self._asked
        self._outcomes = self._now().after_failure(ended_ns, of_sample=is_sample)
        if not self._was_in_trouble and (trouble := self.trouble) is not None:
            self._was_in_trouble = True
            _LOG.error("model %r is not ready: %s", self._name, trouble)
        if self._timer is None and self._outcomes.is_doubtful and self._sample is not None:
            self._ask_sample()
        return is_sample

    def close(self) -> None:
        """Ask no more, whatever fails after that."""
        self._sample = None
        if self._timer is not None:
            self._timer.cancel()

    def _now(self) -> Outcomes:
        return self._outcomes._replace(succeeded_ns=self._succeeded_ns())

    def _ask_sample(self) -> None:
        self._timer = None
        if self._asked is not None:
            self._withdraw(self._asked)
            self._asked = None
        if self._sample is None or not self._now().is_doubtful:
            if self._was_in_trouble:
                _LOG.warning("model %r is ready again", self._name)
            self._was_in_trouble = False
            return
        now_ns = self._clock.now_ns()
        call = self._asked = Call(self._sample(), _ignore, started_ns=now_ns, queued_ns=now_ns)
        call.is_over = True
        call.key = call  # like no other's: it is merged with nobody's
        self._ask(call)
        self._timer = self._loop.call_later(ASK_EVERY_NS / 1e9, self._ask_sample)


def _ignore(answer: Answer | Refusal) -> None:
    """Nobody asked."""
