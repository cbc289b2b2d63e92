"""Rows as declared operations leave them: what the model sees."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.data.description import describe_rows
from modeldyno.data.fitting import fit_tensors
from modeldyno.errors import DataError
from modeldyno.processing.operations import plan_operations
from modeldyno.processing.steps import Step
from modeldyno.protocols import Dataset, Tensors
from modeldyno.records.files import digest_bytes
from modeldyno.records.processing import Operation
from modeldyno.records.signature import Signature, TensorSpec

_NAMED = 5


class Rows(NamedTuple):
    """Rows as they are stored, and what is known of them."""

    name: str
    dataset: Dataset
    inputs: tuple[TensorSpec, ...]
    """What they are, before any operation."""
    label_name: str | None = None
    row_names: Sequence[str] = ()
    """Of each row, such as its file; empty: they have none."""


class PreparedDataset:
    """A `modeldyno.protocols.Dataset`: operations are run on the rows that are asked for.

    Args:
        rows: as they are stored.
        operations: in order.
        signature: of the model.

    Raises:
        UsageError: an operation does not fit the rows.
        DataError: what comes out is not what the model takes.
    """

    def __init__(self, rows: Rows, operations: Sequence[Operation], signature: Signature) -> None:
        self._rows = rows
        self._operations = tuple(operations)
        self._signature = signature
        self._step = plan_operations(operations, {spec.name: spec for spec in rows.inputs}, place=rows.name)
        self._sources = _sources(rows.name, self._step, signature)

    @property
    def rows(self) -> int:
        """See `Dataset`."""
        return self._rows.dataset.rows

    @property
    def labels(self) -> NDArray[np.generic] | None:
        """See `Dataset`."""
        return self._rows.dataset.labels

    @property
    def digest(self) -> str:
        """Over the digest of the rows and the operations."""
        return digest_bytes(self._rows.dataset.digest.encode() + msgspec.json.encode(self._operations))

    def inputs(self, start: int, stop: int) -> dict[str, NDArray[np.generic]]:
        """See `Dataset`.

        Raises:
            DataError: an operation refuses a row; names the row.
        """
        raw = self._rows.dataset.inputs(start, stop)
        try:
            made = self._step.apply(raw)
        except DataError as problem:
            raise self._naming(problem, raw, start) from problem
        arrays: dict[str, NDArray[Any]] = {name: made[source] for name, source in self._sources.items()}
        return fit_tensors(self._rows.name, arrays, self._signature)

    def describe(self) -> str:
        """See `Dataset`."""
        sizes = {spec.name: spec.shape[1:] for spec in self._signature.inputs}
        names = ", ".join(str(type(operation).__struct_config__.tag) for operation in self._operations)
        text = describe_rows(self._rows.name, self.rows, sizes, self.labels, self._rows.label_name)
        return f"{text}, after {names}" if names else text

    def _naming(self, problem: DataError, raw: Tensors, start: int) -> DataError:
        """The problem with the names of the rows that have it."""
        count = len(next(iter(raw.values())))
        wrong: list[tuple[str, DataError]] = []
        for row in range(count):
            try:
                self._step.apply({name: array[row : row + 1] for name, array in raw.items()})
            except DataError as of_row:
                names = self._rows.row_names
                wrong.append((names[start + row] if names else f"row {start + row:,}", of_row))
        if not wrong:
            return problem
        told = ", ".join(name for name, _ in wrong[:_NAMED]) + (", ..." if len(wrong) > _NAMED else "")
        first = wrong[0][1]
        return DataError(
            f"{self._rows.name}: {len(wrong)} of {count} rows cannot be prepared: {told}",
            why=first.in_a_line,
            hint=first.hint or "mend or remove them",
        )


def _sources(name: str, step: Step, signature: Signature) -> dict[str, str]:
    """Input of the model to what is made; a single one may have any name."""
    wanted = [spec.name for spec in signature.inputs]
    if len(wanted) == 1 and len(step.specs) == 1:
        return {wanted[0]: next(iter(step.specs))}
    missing = [one for one in wanted if one not in step.specs]
    if missing:
        raise DataError(
            f"{name} lacks the model's inputs {', '.join(missing)}",
            why=f"after its processing there are {', '.join(step.specs)}",
            hint='rename a tensor: {"op": "rename", "names": {"OLD": "NEW"}}',
        )
    return {one: one for one in wanted}
