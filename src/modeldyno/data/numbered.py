"""Labels that are texts, as the numbers that a model answers."""

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import DataError
from modeldyno.protocols import Dataset


class NumberedDataset:
    """A `modeldyno.protocols.Dataset` whose text labels are replaced by their places among the classes.

    Args:
        dataset: with text labels.
        classes: in the order of the model's class numbers.
        source: where the classes are declared, for errors.

    Raises:
        DataError: there are no labels, or one is none of the classes.
    """

    def __init__(self, dataset: Dataset, classes: tuple[str, ...], source: str) -> None:
        if dataset.labels is None:
            raise DataError(f"{source} declares classes, and the data have no labels")
        numbers = {name: number for number, name in enumerate(classes)}
        texts = [str(label) for label in dataset.labels.tolist()]
        unknown = sorted(set(texts) - set(classes))
        if unknown:
            raise DataError(
                f"the labels {', '.join(unknown[:5])} are none of the classes that {source} declares",
                why=f"it declares {', '.join(classes[:5])}{', ...' if len(classes) > 5 else ''}",
            )
        self._dataset = dataset
        self._labels = np.array([numbers[text] for text in texts], np.int64)

    @property
    def rows(self) -> int:
        """See `Dataset`."""
        return self._dataset.rows

    @property
    def labels(self) -> NDArray[np.generic] | None:
        """See `Dataset`."""
        return self._labels

    @property
    def digest(self) -> str:
        """See `Dataset`."""
        return self._dataset.digest

    def inputs(self, start: int, stop: int) -> dict[str, NDArray[np.generic]]:
        """See `Dataset`."""
        return self._dataset.inputs(start, stop)

    def describe(self) -> str:
        """See `Dataset`."""
        return f"{self._dataset.describe()}, as class numbers"
