"""Rows that are read when they are asked for, because all of them may be more than memory holds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.data.asked import Asked
from modeldyno.data.description import describe_rows
from modeldyno.data.digests import RowsDigest
from modeldyno.data.fitting import fit_tensors
from modeldyno.errors import DataError
from modeldyno.records.signature import DATATYPES

Read = Callable[[int, int], Mapping[str, NDArray[Any]]]
"""Rows `start` to `stop`: input name to array, not yet of the model's datatypes."""
_BLOCK_ROWS = 1024


class StreamedDataset:
    """A `modeldyno.protocols.Dataset`: only the labels are held in memory.

    What no model can answer is found when its rows are read, not when the data are opened.

    Args:
        name: what the user calls it: `rows.parquet`.
        rows: how many.
        read: reads some of them.
        asked: what is wanted of them.
        labels: one a row, or None.
        label_name: the array or column they came from.
    """

    def __init__(
        self,
        name: str,
        rows: int,
        read: Read,
        asked: Asked,
        labels: NDArray[np.generic] | None = None,
        label_name: str | None = None,
    ) -> None:
        self._name = name
        self._rows = rows
        self._read = read
        self._asked = asked
        self._labels = labels
        self._label_name = label_name
        self._digest = ""

    @property
    def rows(self) -> int:
        """See `Dataset`."""
        return self._rows

    @property
    def labels(self) -> NDArray[np.generic] | None:
        """See `Dataset`."""
        return self._labels

    @property
    def label_name(self) -> str | None:
        """The array or column the labels came from."""
        return self._label_name

    def inputs(self, start: int, stop: int) -> dict[str, NDArray[np.generic]]:
        """See `Dataset`.

        Raises:
            DataError: the rows do not fit the model; rows are counted within those asked for.
        """
        stop = min(stop, self._rows)
        try:
            return fit_tensors(
                self._name, self._read(start, stop), self._asked.signature, may_miss=self._asked.may_miss
            )
        except DataError as problem:
            if not start:
                raise
            place = f"rows are counted from row {start:,} of the data on"
            raise DataError(
                problem.what, why=f"{problem.why}; {place}" if problem.why else place, hint=problem.hint
            ) from problem

    def describe(self) -> str:
        """See `Dataset`."""
        sizes = {spec.name: spec.shape[1:] for spec in self._asked.signature.inputs}
        text = describe_rows(self._name, self._rows, sizes, self._labels, self._label_name)
        return f"{text}, read in blocks"

    @property
    def digest(self) -> str:
        """As that of the same rows in memory; all rows are read for it, once for each input."""
        if not self._digest:
            digest = RowsDigest()
            first = self.inputs(0, 1)
            for spec in sorted(self._asked.signature.inputs, key=lambda one: one.name):
                shape = (self._rows, *first[spec.name].shape[1:])
                digest.add(spec.name, np.dtype(DATATYPES[spec.datatype]), shape, self._blocks(spec.name))
            if self._labels is not None:
                digest.add("labels", self._labels.dtype, self._labels.shape, (self._labels,))
            self._digest = digest.text
        return self._digest

    def _blocks(self, name: str) -> Iterator[NDArray[Any]]:
        for start in range(0, self._rows, _BLOCK_ROWS):
            yield self.inputs(start, start + _BLOCK_ROWS)[name]
