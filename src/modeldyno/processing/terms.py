"""Texts as weighted counts of their terms."""

import re
from collections import Counter

import numpy as np

from modeldyno.errors import DataError, UsageError
from modeldyno.processing.steps import Array, Specs, Step, has_rows, one_tensor, spec_of
from modeldyno.records.signature import TensorSpec
from modeldyno.records.text_operations import TfIdf

_WORD = re.compile(r"(?u)\b\w\w+\b")
"""As scikit-learn's `token_pattern`."""


def plan_tf_idf(operation: TfIdf, specs: Specs) -> Step:
    """See `TfIdf`."""
    spec = text_column(operation.tensor, specs)
    if not operation.terms or len(operation.terms) != len(operation.weights) or operation.most_words < 1:
        raise UsageError(f"{len(operation.terms)} terms and {len(operation.weights)} weights do not fit together")
    places = {term: place for place, term in enumerate(operation.terms)}
    weights = np.asarray(operation.weights)

    def compute(array: Array) -> Array:
        made = np.zeros((len(array), len(places)))
        for row, text in enumerate(texts_of(array, operation.tensor)):
            for term, count in Counter(_terms(text, operation.most_words)).items():
                place = places.get(term)
                if place is not None:
                    made[row, place] = 1 + np.log(count) if operation.sublinear else count
        made *= weights
        lengths = np.linalg.norm(made, axis=1, keepdims=True)
        return np.asarray(np.divide(made, lengths, out=made, where=lengths > 0), np.float32)

    return one_tensor(operation, specs, compute, datatype="FP32", shape=(spec.shape[0], len(places)))


def _terms(text: str, most_words: int) -> list[str]:
    words = _WORD.findall(text.lower())
    found = list(words)
    for size in range(2, most_words + 1):
        found += [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]
    return found


def text_column(name: str, specs: Specs) -> TensorSpec:
    """The column of texts of that name.

    Raises:
        UsageError: there is none.
    """
    spec = spec_of(name, specs, frozenset({"BYTES"}), "texts")
    if not has_rows(spec) or spec.shape[1:] not in ((), (1,)):
        raise UsageError(f"tensor {name!r} is no column of texts", why=f"its shape is {list(spec.shape)}")
    return spec


def texts_of(array: Array, name: str) -> list[str]:
    """The texts of a column.

    Raises:
        DataError: one is not UTF-8.
    """
    try:
        return [text.decode() for text in array.ravel().tolist()]
    except UnicodeDecodeError as problem:
        raise DataError(f"a text of tensor {name!r} is not UTF-8", why=str(problem)) from problem
