"""What an objective asks for by name that is not measured anyway: other betas, places and top counts."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from modeldyno.records.metrics import BETAS, CUT_OFFS, TOP_COUNTS, changed_metric
from modeldyno.records.objective import Objective


class Costs(NamedTuple):
    """What a wrong answer costs, where there are two classes."""

    false_positive: float
    false_negative: float


class Asked(NamedTuple):
    """Which metrics of a family to measure."""

    betas: tuple[float, ...] = BETAS
    tops: tuple[int, ...] = TOP_COUNTS
    cut_offs: tuple[int, ...] = CUT_OFFS
    costs: Costs | None = None


def asked_by(objectives: Iterable[Objective], costs: Costs | None = None) -> Asked:
    """The usual ones, and those that objectives name: `f3_macro` asks for a beta of 3, `recall@20` for 20 places."""
    names = [changed_metric(one.metric) or one.metric for one in objectives]
    betas = [float(found[1]) for name in names if (found := re.match(r"f(\d+(?:\.\d+)?)(?:_|$)", name))]
    tops = [int(found[1]) for name in names if (found := re.match(r"top(\d+)_accuracy$", name))]
    cut_offs = [int(found[1]) for name in names if (found := re.search(r"@(\d+)$", name))]
    return Asked(
        tuple(dict.fromkeys((*BETAS, *betas))),
        tuple(sorted({*TOP_COUNTS, *tops})),
        tuple(sorted({*CUT_OFFS, *cut_offs})),
        costs,
    )
