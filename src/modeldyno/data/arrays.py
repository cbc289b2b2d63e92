"""Rows held in memory."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modeldyno.data.description import describe_rows
from modeldyno.data.digests import RowsDigest


class ArrayDataset:
    """A `modeldyno.protocols.Dataset`: every input as one array, first dimension rows.

    Args:
        name: what the user calls it: `digits.npz`.
        tensors: input name to array, as many rows each.
        labels: one a row, or None.
        label_name: the array or column they came from.
    """

    def __init__(
        self,
        name: str,
        tensors: Mapping[str, NDArray[np.generic]],
        labels: NDArray[np.generic] | None = None,
        label_name: str | None = None,
    ) -> None:
        self._name = name
        self._tensors = dict(tensors)
        self._labels = labels
        self._label_name = label_name

    @property
    def rows(self) -> int:
        """See `Dataset`."""
        return len(next(iter(self._tensors.values())))

    @property
    def labels(self) -> NDArray[np.generic] | None:
        """See `Dataset`."""
        return self._labels

    @property
    def label_name(self) -> str | None:
        """The array or column the labels came from."""
        return self._label_name

    def inputs(self, start: int, stop: int) -> dict[str, NDArray[np.generic]]:
        """See `Dataset`."""
        return {name: tensor[start:stop] for name, tensor in self._tensors.items()}

    def describe(self) -> str:
        """See `Dataset`: `digits.npz: 599 rows, 64 features, labels y (10 classes)`."""
        sizes = {name: tensor.shape[1:] for name, tensor in self._tensors.items()}
        return describe_rows(self._name, self.rows, sizes, self._labels, self._label_name)

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest over names, dtypes, shapes and values of inputs and labels."""
        digest = RowsDigest()
        for name, array in sorted(self._tensors.items()):
            digest.add(name, array.dtype, array.shape, (array,))
        if self._labels is not None:
            digest.add("labels", self._labels.dtype, self._labels.shape, (self._labels,))
        return digest.text
