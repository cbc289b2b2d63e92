"""Whether the server stopped answering for good in the middle of a run."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.requests import Outcome
from modeldyno.units import format_duration

_LEAST = 10
_CHANCE = 1e-6
_UNENDED = (Outcome.INTERRUPTED, Outcome.NOT_SENT)
_WITHOUT_ANSWER = (Outcome.REFUSED, Outcome.DISCONNECTED, Outcome.TIMEOUT)


def find_silence(rows: np.ndarray) -> str | None:
    """The moment from which on nothing was answered any more, what became of the requests since, and what to do.

    Ten requests at least, so many that the share which failed before makes it no chance. A server that answers with
    errors does answer.

    Args:
        rows: of the measured phase, in planned order.
    """
    ended = rows[~np.isin(rows["outcome"], _UNENDED)]
    without = np.isin(ended["outcome"], _WITHOUT_ANSWER)
    if without.all() or not without.any():
        return None
    last_ns = int(ended["done_ns"][~without].max())
    since = ended["planned_ns"] > last_ns
    count = int((since & without).sum())
    failed_before = (int(without[~since].sum()) + 1) / (int((~since).sum()) + 2)
    if count < _LEAST or failed_before**count > _CHANCE:
        return None
    kinds = _counted(ended["outcome"][since])
    return (
        f"the server answered nothing from {format_duration(last_ns - int(rows['planned_ns'][0]))} into the run on: "
        f"{', '.join(f'{kind.name.lower()} {number:,}' for kind, number in kinds.items())}; {_remedy(kinds)}"
    )


def _counted(outcomes: NDArray[np.int8]) -> dict[Outcome, int]:
    kinds, numbers = np.unique(outcomes, return_counts=True)
    counts = {Outcome(int(kind)): int(number) for kind, number in zip(kinds, numbers, strict=True)}
    return dict(sorted(counts.items(), key=lambda one: -one[1]))


def _remedy(kinds: dict[Outcome, int]) -> str:
    if Outcome.REFUSED in kinds or Outcome.DISCONNECTED in kinds:
        return "it went away: look at its log, start it again and measure anew"
    return "it hangs, or is offered more than it can do: look at its log, or lower the rate"
