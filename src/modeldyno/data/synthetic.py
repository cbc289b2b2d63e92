"""Rows made from a signature alone, for measuring speed where there are no data. They say nothing about quality."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import from_numbers
from modeldyno.data.arrays import ArrayDataset
from modeldyno.errors import DataError
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.seeds import child_generator

_VARYING_SIZE = 8
"""Length of a dimension that varies and is not the batch."""

_HIGHEST_INTEGER = 10
"""Whole numbers stay below it: they are often indices into a table whose size the signature does not tell."""


def synthetic_dataset(
    signature: Signature, rows: int, seed: int, *, lengths: Mapping[str, int] | None = None
) -> ArrayDataset:
    """Rows that fit the signature: normal floats, small whole numbers, short texts; no labels.

    Dimensions that vary under the same name get the same length.

    Args:
        signature: of the model.
        rows: how many; at least 1.
        seed: the root seed.
        lengths: of dimensions that vary, by name; 8 for those that are not named.

    Raises:
        DataError: an input has no dimension for rows.
    """
    tensors = {spec.name: _tensor(spec, rows, seed, lengths or {}) for spec in signature.inputs}
    return ArrayDataset("synthetic data", tensors)


def _tensor(spec: TensorSpec, rows: int, seed: int, lengths: Mapping[str, int]) -> NDArray[np.generic]:
    if not spec.shape:
        raise DataError(
            f"no rows can be made for input {spec.name!r}",
            why="it is a single number and has no dimension for rows",
        )
    sizes = (size if isinstance(size, int) else lengths.get(size, _VARYING_SIZE) for size in spec.shape[1:])
    shape = (rows, *sizes)
    generator = child_generator(seed, f"synthetic/{spec.name}")
    if spec.datatype == "BF16":
        return from_numbers(generator.standard_normal(shape))
    dtype = np.dtype(DATATYPES[spec.datatype])
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    if dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(bool)
    numbers = generator.integers(0, _HIGHEST_INTEGER, shape)
    if spec.datatype != "BYTES":
        return numbers.astype(dtype)
    texts = np.empty(shape, object)
    texts.ravel()[:] = [f"text {number}".encode() for number in numbers.ravel().tolist()]
    return texts
