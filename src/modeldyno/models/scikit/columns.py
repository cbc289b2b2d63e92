"""What a scikit-learn model takes: a matrix of numbers, a table with columns of text, or texts.

A fitted model does not say so itself. Its first steps do: encoders keep the categories they saw, vectorisers are made
for text, imputers keep the values they fill in.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from modeldyno.records.signature import TensorSpec

TEXT = "text"


class Column(NamedTuple):
    """One column of a table."""

    name: str
    example: float | str
    """A value that the model knows; its type tells numbers from text."""


def takes_texts(estimator: Any) -> bool:
    """Whether the model begins with a vectoriser, and so takes one text a row."""
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

    return isinstance(_first_step(estimator), (CountVectorizer, HashingVectorizer))


def mixed_columns(estimator: Any) -> tuple[Column, ...] | None:
    """The columns of the table that the model takes, when any holds text; None for a matrix of numbers."""
    features = getattr(estimator, "n_features_in_", None)
    if not isinstance(features, (int, np.integer)):
        return None
    examples: list[float | str] = [1.0] * int(features)
    _note_texts(_first_step(estimator), list(range(int(features))), examples)
    if not any(isinstance(example, str) for example in examples):
        return None
    names = getattr(estimator, "feature_names_in_", None)
    stated = [f"x{place}" for place in range(int(features))] if names is None else [str(name) for name in names]
    return tuple(Column(name, example) for name, example in zip(stated, examples, strict=True))


def column_specs(columns: Sequence[Column], batch: str) -> tuple[TensorSpec, ...]:
    """One input a column, [batch, 1]: what ONNX operators of machine learning expect, too."""
    return tuple(
        TensorSpec(name=one.name, datatype="BYTES" if isinstance(one.example, str) else "FP32", shape=(batch, 1))
        for one in columns
    )


def has_named_columns(estimator: Any) -> bool:
    """Whether it was fitted on a table whose columns have names, by which it may choose them."""
    return hasattr(estimator, "feature_names_in_")


def _first_step(estimator: Any) -> Any:
    """The first of (nested) pipelines that does something."""
    while hasattr(estimator, "steps"):
        steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
        if not steps:
            return estimator
        estimator = steps[0]
    return estimator


def _note_texts(step: Any, places: list[int], examples: list[float | str]) -> None:
    """Write down an example for each column that `step` takes as text; `places` are those of the columns it gets."""
    if hasattr(step, "transformers_"):
        for name, inner, _ in step.transformers_:
            if not isinstance(inner, str):
                taken = [places[index] for index in step._transformer_to_input_indices[name]]  # noqa: SLF001 - as skl2onnx does: nothing public tells it for names, slices and masks alike
                _note_texts(_first_step(inner), taken, examples)
    elif takes_texts(step):
        examples[places[0]] = ""
    else:
        for place, example in zip(places, _known_texts(step), strict=False):
            if example is not None:
                examples[place] = example


def _known_texts(step: Any) -> list[str | None]:
    """For each column of an encoder or imputer a text that it knows, None where it takes numbers."""
    if hasattr(step, "categories_"):
        known = [list(categories)[:1] for categories in step.categories_]
    else:
        known = [[value] for value in np.ravel(getattr(step, "statistics_", ()))]
    return [str(one[0]) if one and isinstance(one[0], str) else None for one in known]
