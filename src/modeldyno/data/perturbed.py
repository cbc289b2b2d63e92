"""Rows changed on purpose."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.augmentation.draws import RowDraws
from modeldyno.augmentation.perturbing import changed, is_changed
from modeldyno.augmentation.spread import Spread, spread_of
from modeldyno.protocols import Dataset
from modeldyno.records.files import digest_bytes
from modeldyno.records.robustness import PerturbationKind
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.seeds import child_seed

_LOOKED_AT = 8
"""Blocks of rows, all over the data, from which the spread is estimated."""
_BLOCK_ROWS = 256


def spreads_of(dataset: Dataset, signature: Signature) -> dict[str, Spread]:
    """The spread of each input of numbers, from up to 2,048 rows all over the data."""
    starts = np.unique(np.linspace(0, max(0, dataset.rows - _BLOCK_ROWS), _LOOKED_AT).astype(int)).tolist()
    blocks = [dataset.inputs(start, min(start + _BLOCK_ROWS, dataset.rows)) for start in starts]
    return {
        spec.name: spread_of(np.concatenate([block[spec.name] for block in blocks]))
        for spec in signature.inputs
        if spec.datatype not in ("BYTES", "BF16")
    }


class PerturbedDataset:
    """A `modeldyno.protocols.Dataset`: the rows of another, changed; a row is changed alike in any block.

    Args:
        dataset: the rows.
        signature: of the model.
        kind: of the change.
        severity: how strong it is.
        spreads: of the inputs, see `spreads_of`.
        seed: the root seed; another one for another copy.
    """

    def __init__(
        self,
        dataset: Dataset,
        signature: Signature,
        kind: PerturbationKind,
        severity: float,
        *,
        spreads: dict[str, Spread],
        seed: int,
    ) -> None:
        self._dataset = dataset
        self._inputs = {spec.name: spec for spec in signature.inputs if is_changed(kind, spec)}
        self._kind: PerturbationKind = kind
        self._severity = severity
        self._spreads = spreads
        self._seed = seed

    @property
    def rows(self) -> int:
        """See `Dataset`."""
        return self._dataset.rows

    @property
    def labels(self) -> NDArray[np.generic] | None:
        """See `Dataset`."""
        return self._dataset.labels

    @property
    def digest(self) -> str:
        """Over the digest of the rows and the change."""
        return digest_bytes(f"{self._dataset.digest} {self._kind} {self._severity} {self._seed}".encode())

    def inputs(self, start: int, stop: int) -> dict[str, NDArray[np.generic]]:
        """See `Dataset`."""
        tensors = self._dataset.inputs(start, stop)
        made = {name: self._changed(tensors[name], spec, start) for name, spec in self._inputs.items()}
        return {**tensors, **made}

    def describe(self) -> str:
        """See `Dataset`."""
        return f"{self._dataset.describe()}, {self._kind} {self._severity:g}"

    def _changed(self, array: NDArray[np.generic], spec: TensorSpec, start: int) -> NDArray[np.generic]:
        # The same numbers at each severity: what differs between two points of a curve is the severity alone.
        draws = RowDraws(child_seed(self._seed, f"{self._kind}/{spec.name}"), start, len(array))
        spread = self._spreads.get(spec.name)
        return changed(array, self._kind, self._severity, spec, spread=spread, draws=draws)
