"""How the traffic of a search repeats itself, and the cache that is tried for it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from modeldyno.api.load.questions.tensors import digest_of
from modeldyno.protocols import Dataset
from modeldyno.records.deployment import Cache
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.records.workload import Repeats
from modeldyno.search.caching import LEAST_SHARE, cache_for
from modeldyno.server.caching.answers import Entry, size_of

MOST_ROWS = 100_000
"""Rows of the data that are looked at, from the first on, to see what repeats."""
MOST_BYTES = 1 << 27
"""No more are looked at when they take so much together: each is read, and an image decoded."""
_HEAD_BYTES = 200
"""Of a question, beside its tensors: model, shapes and parameters."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What a search assumes of it; the fields are those of `records.search.Search`."""

    repeats: Repeats | None
    repeats_from: Literal["asked", "data", "nothing"]
    cache: Cache | None


def traffic_of(
    asked: Repeats | None, dataset: Dataset, signature: Signature, *, is_real_data: bool, seed: int
) -> Traffic:
    """What the user says repeats, or else what the rows of the data do.

    Args:
        asked: by the user; None: the data decide.
        dataset: rows that stand for what is asked.
        signature: of the model.
        is_real_data: made-up rows say nothing.
        seed: of the requests that the size of the cache is chosen with.
    """
    repeats = asked
    if asked is None and is_real_data:
        share = duplicate_share(dataset)
        repeats = Repeats(share=share) if share >= LEAST_SHARE else None
    cache = None if repeats is None else cache_for(repeats, entry_bytes(dataset, signature), seed=seed)
    source: Literal["asked", "data", "nothing"] = "data" if is_real_data else "nothing"
    return Traffic(repeats=repeats, repeats_from=source if asked is None else "asked", cache=cache)


def duplicate_share(dataset: Dataset) -> float:
    """Share of the rows whose inputs are those of an earlier one."""
    different: set[bytes] = set()
    looked_at = size = 0
    while looked_at < min(dataset.rows, MOST_ROWS) and size < MOST_BYTES:
        inputs = dataset.inputs(looked_at, looked_at + 1)
        different.add(digest_of(inputs))
        size += sum(array.nbytes for array in inputs.values())
        looked_at += 1
    return 1 - len(different) / looked_at


def entry_bytes(dataset: Dataset, signature: Signature) -> int:
    """What a cache of the server needs for the first row and its answer; dimensions the model leaves open count 1."""
    question = bytes(_HEAD_BYTES + sum(array.nbytes for array in dataset.inputs(0, 1).values()))
    outputs = {spec.name: _one_row(spec) for spec in signature.outputs}
    return size_of(question, Entry(outputs=outputs, saved_ns=0))


def _one_row(spec: TensorSpec) -> np.ndarray:
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in spec.shape]
    if spec.datatype == "BYTES":
        return np.full(shape, b"", object)
    return np.zeros(shape, DATATYPES[spec.datatype])
