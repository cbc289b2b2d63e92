"""Padding of variable dimensions, so that requests of unlike sizes can be one batch.

What fits together, how far each is filled up, and what of the answers belongs to it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

import numpy as np

from modeldyno.errors import UsageError
from modeldyno.records.deployment import Batching, Buckets
from modeldyno.records.signature import DATATYPES, Signature

Tails = tuple[tuple[int, ...], ...]
"""The shape of each input, in signature order, without the batch dimension."""


class PaddingPlan:
    """What of a model's tensors is padded, and how far.

    A batch is padded to the longest of its requests and not to the end of the bucket: a bucket bounds how much is
    wasted, and what no request needs is not computed. A request alone is never padded.

    Raises:
        UsageError: the buckets do not fit the signature.
    """

    def __init__(self, signature: Signature, batching: Batching) -> None:
        check_padding(signature, batching)
        sizes = {bucket.dimension: bucket.sizes for bucket in batching.buckets}
        self.pad_value = batching.pad_value
        self._sizes = [
            tuple(sizes.get(dimension) if isinstance(dimension, str) else None for dimension in spec.shape[1:])
            for spec in signature.inputs
        ]
        self._names = [spec.name for spec in signature.inputs]
        self._where = {
            dimension: (position, index)
            for position, spec in enumerate(signature.inputs)
            for index, dimension in enumerate(spec.shape[1:])
            if isinstance(dimension, str) and dimension in sizes
        }
        self._output_axes = {
            spec.name: {
                index: dimension
                for index, dimension in enumerate(spec.shape)
                if isinstance(dimension, str) and dimension in sizes
            }
            for spec in signature.outputs
        }

    def key(self, tails: Tails) -> Tails:
        """What the requests that may be merged have in common: their tails, each padded size at its bucket's end."""
        return tuple(
            tuple(
                length if sizes is None else bucket_end(length, sizes)
                for length, sizes in zip(tail, padded, strict=True)
            )
            for tail, padded in zip(tails, self._sizes, strict=True)
        )

    def padded(self, merged: Sequence[Tails]) -> dict[str, tuple[int, ...]]:
        """Each input's tail in a batch of these requests: in every dimension the longest."""
        return {
            name: tuple(max(lengths) for lengths in zip(*tails, strict=True)) if tails[0] else ()
            for name, tails in zip(self._names, zip(*merged, strict=True), strict=True)
        }

    def own_part(self, output: str, tails: Tails) -> tuple[slice, ...]:
        """What of a batch's output belongs to a request in every dimension but the batch; the rest is padding."""
        axes = self._output_axes[output]
        if not axes:
            return ()
        return tuple(
            slice(self._length(axes[index], tails)) if index in axes else slice(None)
            for index in range(1, max(axes) + 1)
        )

    def _length(self, dimension: str, tails: Tails) -> int:
        position, index = self._where[dimension]
        return tails[position][index]


def bucket_end(length: int, sizes: tuple[int, ...]) -> int:
    """The smallest of the ascending `sizes` that holds `length`; `length` itself when none does."""
    position = bisect_left(sizes, length)
    return sizes[position] if position < len(sizes) else length


def check_padding(signature: Signature, batching: Batching) -> None:
    """Refuse buckets that do not fit the signature.

    Raises:
        UsageError: says which and why.
    """
    if not batching.buckets:
        return
    if not signature.has_batch_dimension:
        raise UsageError(
            "buckets are given, but the model has no batch dimension",
            why="nothing is ever merged",
            hint="leave them out",
        )
    batch = signature.inputs[0].shape[0]
    names = {size for spec in signature.inputs for size in spec.shape if isinstance(size, str) and size != batch}
    seen: set[str] = set()
    for bucket in batching.buckets:
        if bucket.dimension not in names:
            shown = ", ".join(map(repr, sorted(names))) or "none"
            raise UsageError(
                f"buckets are given for the dimension {bucket.dimension!r}",
                why=f"the inputs' variable dimensions are: {shown}",
                hint="name one of them" if names else "leave the buckets out: all rows have one shape already",
            )
        if bucket.dimension in seen:
            raise UsageError(
                f"buckets for the dimension {bucket.dimension!r} are given twice", hint="give all its sizes at once"
            )
        seen.add(bucket.dimension)
        _check_sizes(bucket)
    _check_value(signature, batching)


def _check_sizes(bucket: Buckets) -> None:
    if not bucket.sizes or bucket.sizes[0] < 1 or any(one >= other for one, other in pairwise(bucket.sizes)):
        raise UsageError(
            f"the buckets of {bucket.dimension!r} are {list(bucket.sizes)}", hint="give ascending sizes, from 1"
        )


def _check_value(signature: Signature, batching: Batching) -> None:
    value, dimensions = batching.pad_value, {bucket.dimension for bucket in batching.buckets}
    for spec in signature.inputs:
        if dimensions.isdisjoint(size for size in spec.shape if isinstance(size, str)):
            continue
        dtype = np.dtype(DATATYPES[spec.datatype])
        if dtype.kind == "b":
            fits = value in {0, 1}
        elif dtype.kind in "iu":
            fits = isfinite(value) and value == int(value) and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
        else:
            fits = True
        if not fits:
            raise UsageError(
                f"inputs are padded with {value:g}, which input {spec.name!r} ({spec.datatype}) cannot hold",
                hint="choose another pad value",
            )
