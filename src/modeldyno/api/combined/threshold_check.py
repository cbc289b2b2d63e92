"""Thresholds of a cascade that no row can fall short of, or none can reach."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.graph import plan_pipeline
from modeldyno.processing.session import PipelineSession
from modeldyno.protocols import Session, Tensors
from modeldyno.records.pipeline import Cascade
from modeldyno.records.signature import Signature

_SUM_OFF_BY = 1e-2
"""Shares in float16 add up to 1 no better than this."""


def check_thresholds(
    graph: Cascade, signatures: Mapping[str, Signature], sessions: Mapping[str, Session], rows: Sequence[Tensors]
) -> None:
    """Refuse a threshold beyond what a stage's scores can be, where they are shares of 1, as probabilities are.

    Whether they are is seen in the answers to some rows. Scores of another kind have no bounds that are known.

    Args:
        graph: with the user's thresholds.
        signatures: of all members.
        sessions: of all members.
        rows: requests for the whole.

    Raises:
        UsageError: names the threshold, and what it would do.
    """
    for number, threshold in enumerate(graph.thresholds):
        if 0 < threshold <= 1:
            continue
        stage = PipelineSession(plan_pipeline(graph.stages[number], signatures), sessions)
        scores = [one for row in rows if (one := _scores(stage, row, graph.confidence)) is not None]
        if not scores or not all(_are_shares(one) for one in scores):
            continue
        what = "every row goes on" if threshold > 1 else "no row goes on"
        raise UsageError(
            f"with a threshold of {threshold:g} {what}, whatever model {number + 1} of the cascade answers",
            why=f"its {graph.confidence!r} are shares between 0 and 1, and rows below the threshold go on",
            hint='for example --threshold 0.9; or have it chosen: --slo "accuracy_drop<=1%" --data DATA',
        )


def _scores(stage: Session, row: Tensors, name: str) -> NDArray[np.generic] | None:
    try:
        return stage.run(row)[name]
    except DataError:
        return None  # an operation refuses such a row, as it should


def _are_shares(scores: NDArray[np.generic]) -> bool:
    numbers = scores.astype(np.float64)
    within = (numbers >= 0).all() and (numbers <= 1 + _SUM_OFF_BY).all()
    return bool(within and (np.abs(numbers.sum(axis=1) - 1) <= _SUM_OFF_BY).all())
