"""Operations to what computes them: one explicit table."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from modeldyno.errors import UsageError
from modeldyno.processing.columns import (
    plan_concatenate,
    plan_join_columns,
    plan_rename,
    plan_select,
    plan_split_columns,
)
from modeldyno.processing.elementwise import (
    plan_cast,
    plan_clip,
    plan_impute,
    plan_normalise,
    plan_scale,
    plan_threshold,
)
from modeldyno.processing.ranking import plan_arg_max, plan_labels, plan_softmax, plan_top_k
from modeldyno.processing.shapes import plan_reshape, plan_transpose
from modeldyno.processing.steps import Array, Specs, Step
from modeldyno.protocols import Tensors
from modeldyno.records.processing import (
    ArgMax,
    Cast,
    Clip,
    Concatenate,
    Impute,
    JoinColumns,
    Labels,
    Normalise,
    Operation,
    Rename,
    Reshape,
    Scale,
    Select,
    Softmax,
    SplitColumns,
    Threshold,
    TopK,
    Transpose,
)

_PLANS: dict[type[msgspec.Struct], Callable[[Any, Specs], Step]] = {
    ArgMax: plan_arg_max,
    Cast: plan_cast,
    Clip: plan_clip,
    Concatenate: plan_concatenate,
    Impute: plan_impute,
    JoinColumns: plan_join_columns,
    Labels: plan_labels,
    Normalise: plan_normalise,
    Rename: plan_rename,
    Reshape: plan_reshape,
    Scale: plan_scale,
    Select: plan_select,
    Softmax: plan_softmax,
    SplitColumns: plan_split_columns,
    Threshold: plan_threshold,
    TopK: plan_top_k,
    Transpose: plan_transpose,
}


def plan_operations(operations: Sequence[Operation], specs: Specs, *, place: str) -> Step:
    """Operations one after the other as one step.

    Args:
        operations: in order.
        specs: of the tensors that are there before the first.
        place: where they are declared, for errors.

    Raises:
        UsageError: one does not fit what is there; names the place.
    """
    steps: list[Step] = []
    for number, operation in enumerate(operations):
        tag = type(operation).__struct_config__.tag
        try:
            steps.append(_PLANS[type(operation)](operation, specs))
        except UsageError as problem:
            raise UsageError(
                f"{place}, operation {number} ({tag}): {problem.what}", why=problem.why, hint=problem.hint
            ) from problem
        specs = steps[-1].specs

    def apply(tensors: Tensors) -> dict[str, Array]:
        made = dict(tensors)
        for step in steps:
            made = step.apply(made)
        return made

    return Step(dict(specs), apply)
