"""Operations to what computes them: one explicit table."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from modeldyno.errors import UsageError
from modeldyno.processing.boxes import plan_sigmoid, plan_suppress_overlaps
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
from modeldyno.processing.encoding import plan_limit, plan_one_hot, plan_ordinal, plan_parse_numbers
from modeldyno.processing.features import plan_polynomial, plan_project, plan_window_statistics
from modeldyno.processing.histograms import plan_colour_histogram, plan_gradient_histogram
from modeldyno.processing.pictures import plan_decode_image
from modeldyno.processing.ranking import plan_arg_max, plan_labels, plan_softmax, plan_top_k
from modeldyno.processing.shapes import plan_reshape, plan_transpose
from modeldyno.processing.steps import Array, Specs, Step
from modeldyno.processing.terms import plan_tf_idf
from modeldyno.processing.tokens import plan_tokenise
from modeldyno.protocols import Tensors
from modeldyno.records.image_operations import ColourHistogram, DecodeImage, GradientHistogram
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
from modeldyno.records.score_operations import Sigmoid, SuppressOverlaps
from modeldyno.records.table_operations import (
    Limit,
    OneHot,
    Ordinal,
    ParseNumbers,
    Polynomial,
    Project,
    WindowStatistics,
)
from modeldyno.records.text_operations import TfIdf, Tokenise

_PLANS: dict[type[msgspec.Struct], Callable[[Any, Specs], Step]] = {
    ArgMax: plan_arg_max,
    Cast: plan_cast,
    Clip: plan_clip,
    ColourHistogram: plan_colour_histogram,
    Concatenate: plan_concatenate,
    DecodeImage: plan_decode_image,
    GradientHistogram: plan_gradient_histogram,
    Impute: plan_impute,
    JoinColumns: plan_join_columns,
    Labels: plan_labels,
    Limit: plan_limit,
    Normalise: plan_normalise,
    OneHot: plan_one_hot,
    Ordinal: plan_ordinal,
    ParseNumbers: plan_parse_numbers,
    Polynomial: plan_polynomial,
    Project: plan_project,
    Rename: plan_rename,
    Reshape: plan_reshape,
    Scale: plan_scale,
    Select: plan_select,
    Sigmoid: plan_sigmoid,
    Softmax: plan_softmax,
    SplitColumns: plan_split_columns,
    SuppressOverlaps: plan_suppress_overlaps,
    TfIdf: plan_tf_idf,
    Threshold: plan_threshold,
    Tokenise: plan_tokenise,
    TopK: plan_top_k,
    Transpose: plan_transpose,
    WindowStatistics: plan_window_statistics,
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
