"""Operations to what computes them: one explicit table."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from modeldyno.errors import UsageError
from modeldyno.processing import (
    boxes,
    columns,
    elementwise,
    encoding,
    features,
    histograms,
    pictures,
    ranking,
    shapes,
    terms,
    tokens,
)
from modeldyno.processing.steps import Array, Specs, Step
from modeldyno.protocols import Tensors
from modeldyno.records import image_operations, processing, score_operations, table_operations, text_operations
from modeldyno.records.processing import Operation

_PLANS: dict[type[msgspec.Struct], Callable[[Any, Specs], Step]] = {
    processing.ArgMax: ranking.plan_arg_max,
    processing.Cast: elementwise.plan_cast,
    processing.Clip: elementwise.plan_clip,
    processing.Concatenate: columns.plan_concatenate,
    processing.Impute: elementwise.plan_impute,
    processing.JoinColumns: columns.plan_join_columns,
    processing.Labels: ranking.plan_labels,
    processing.Normalise: elementwise.plan_normalise,
    processing.Rename: columns.plan_rename,
    processing.Reshape: shapes.plan_reshape,
    processing.Scale: elementwise.plan_scale,
    processing.Select: columns.plan_select,
    processing.Softmax: ranking.plan_softmax,
    processing.SplitColumns: columns.plan_split_columns,
    processing.Threshold: elementwise.plan_threshold,
    processing.TopK: ranking.plan_top_k,
    processing.Transpose: shapes.plan_transpose,
    image_operations.ColourHistogram: histograms.plan_colour_histogram,
    image_operations.DecodeImage: pictures.plan_decode_image,
    image_operations.GradientHistogram: histograms.plan_gradient_histogram,
    score_operations.Sigmoid: boxes.plan_sigmoid,
    score_operations.SuppressOverlaps: boxes.plan_suppress_overlaps,
    table_operations.Limit: encoding.plan_limit,
    table_operations.OneHot: encoding.plan_one_hot,
    table_operations.Ordinal: encoding.plan_ordinal,
    table_operations.ParseNumbers: encoding.plan_parse_numbers,
    table_operations.Polynomial: features.plan_polynomial,
    table_operations.Project: features.plan_project,
    table_operations.WindowStatistics: features.plan_window_statistics,
    text_operations.TfIdf: terms.plan_tf_idf,
    text_operations.Tokenise: tokens.plan_tokenise,
}
OPERATIONS = tuple(sorted(str(kind.__struct_config__.tag) for kind in _PLANS))
"""What they are called in a file."""
_FIELDS = "docs/reference/schemas/processing.json says what each operation takes"


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
                f"{place}, operation {number} ({tag}): {problem.what}", why=problem.why, hint=problem.hint or _FIELDS
            ) from problem
        specs = steps[-1].specs

    def apply(tensors: Tensors) -> dict[str, Array]:
        made = dict(tensors)
        for step in steps:
            made = step.apply(made)
        return made

    return Step(dict(specs), apply)
