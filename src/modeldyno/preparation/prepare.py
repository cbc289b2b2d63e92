"""Steps one after the other on training rows: what is learnt, which rows stay, what comes out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError, UsageError
from modeldyno.preparation.cleaning import kept_rows
from modeldyno.preparation.fitting import fit_operation
from modeldyno.processing.operations import plan_operations
from modeldyno.processing.steps import Array, Specs
from modeldyno.protocols import Tensors
from modeldyno.records.preparation import FitStep, Preparation, RowStep
from modeldyno.records.processing import Operation
from modeldyno.records.signature import TensorSpec


class Fitted(NamedTuple):
    """What came of a preparation."""

    operations: tuple[Operation, ...]
    specs: dict[str, TensorSpec]
    """Of what comes out."""
    tensors: dict[str, Array]
    labels: Array | None
    dropped: tuple[tuple[str, int], ...]


def fit_steps(preparation: Preparation, tensors: Tensors, labels: Array | None, specs: Specs) -> Fitted:
    """Learn the constants of each step from the rows as the steps before leave them.

    Args:
        preparation: the steps.
        tensors: all training rows.
        labels: one a row, or None.
        specs: of the tensors.

    Raises:
        UsageError: a step does not fit what is there; names its number.
        DataError: the rows say nothing about the constants, or none is left.
    """
    made, operations, dropped = dict(tensors), list[Operation](), list[tuple[str, int]]()
    for number, step in enumerate(preparation.steps):
        tag = str(type(step).__struct_config__.tag)
        try:
            if isinstance(step, RowStep):
                kept = _some_rows(step, made, labels, specs)
                dropped.append((tag, int((~kept).sum())))
                made = {name: array[kept] for name, array in made.items()}
                labels = None if labels is None else labels[kept]
                continue
            operation = _operation(step, made, specs)
            plan = plan_operations((operation,), specs, place="steps")
        except (UsageError, DataError) as problem:
            raise type(problem)(
                f"step {number} ({tag}): {problem.what}", why=problem.why, hint=problem.hint
            ) from problem
        operations.append(operation)
        made, specs = plan.apply(made), plan.specs
    return Fitted(tuple(operations), dict(specs), made, labels, tuple(dropped))


def _some_rows(step: RowStep, tensors: Tensors, labels: Array | None, specs: Specs) -> NDArray[np.bool_]:
    kept = kept_rows(step, tensors, labels, specs)
    if not kept.any():
        raise DataError("no row is left")
    return kept


def _operation(step: FitStep | Operation, tensors: Tensors, specs: Specs) -> Operation:
    if not isinstance(step, FitStep):
        return step
    if step.tensor not in tensors:
        raise UsageError(f"there is no tensor {step.tensor!r}", why=f"what is there: {', '.join(tensors)}")
    return fit_operation(step, np.asarray(tensors[step.tensor]), specs)
