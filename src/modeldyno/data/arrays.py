"""Rows held in memory."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
        return f"{self._name}: {self.rows:,} {_plural(self.rows, 'row')}, {self._features()}, {self._describe_labels()}"

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest over names, dtypes, shapes and values of inputs and labels."""
        digest = hashlib.sha256()
        parts = [*sorted(self._tensors.items()), *([] if self._labels is None else [("labels", self._labels)])]
        for name, array in parts:
            digest.update(f"{name} {array.dtype} {array.shape};".encode())
            if array.dtype == object:
                for item in array.ravel().tolist():
                    digest.update(len(item).to_bytes(8, "little") + item)
            else:
                digest.update(np.ascontiguousarray(array).tobytes())
        return f"sha256:{digest.hexdigest()}"

    def _features(self) -> str:
        if len(self._tensors) == 1:
            shape = next(iter(self._tensors.values())).shape
            if len(shape) == 2:
                return f"{shape[1]:,} {_plural(shape[1], 'feature')}"
            return "one value a row" if len(shape) == 1 else f"{' × '.join(map(str, shape[1:]))} a row"
        return f"inputs {', '.join(self._tensors)}"

    def _describe_labels(self) -> str:
        if self._labels is None:
            return "no labels"
        labels: NDArray[Any] = self._labels
        if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
            return f"labels {self._label_name} (numbers)"
        distinct = len(np.unique(labels))
        if labels.dtype.kind == "f":
            return f"labels {self._label_name} ({distinct} distinct {_plural(distinct, 'value')})"
        return f"labels {self._label_name} ({distinct} {'class' if distinct == 1 else 'classes'})"


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
