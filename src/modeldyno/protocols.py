"""The roles that parts play for one another, on one page. Implementations are chosen by name in `api` only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature

Tensors = Mapping[str, NDArray[np.generic]]
"""Input or output name to an array whose dtype is that of the signature; BYTES tensors hold `bytes` objects."""


class Session(Protocol):
    """An artifact loaded in a runtime, ready to compute. Safe to call from one thread at a time."""

    @property
    def signature(self) -> Signature:
        """Names, datatypes and shapes; every session of one model has the same."""
        ...

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """Compute one batch: every input has the same number of rows, and so has every output.

        Releases the interpreter lock while it computes.
        """
        ...

    def close(self) -> None:
        """Give back memory and threads; the session cannot be used afterwards."""
        ...


class Runtime(Protocol):
    """What executes artifacts of one or more formats."""

    @property
    def name(self) -> str:
        """A `records.deployment.RuntimeName`."""
        ...

    @property
    def formats(self) -> frozenset[str]:
        """The `records.artifact.ModelFormat`s it can open."""
        ...

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> Session:
        """Load the artifact at `path`.

        Raises:
            InputError: the file cannot be loaded.
            UsageError: the runtime is not installed; the message names the command that installs it.
        """
        ...


class Dataset(Protocol):
    """Rows, with or without labels."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        ...

    @property
    def labels(self) -> NDArray[np.generic] | None:
        """One label a row, or None."""
        ...

    @property
    def digest(self) -> str:
        """`sha256:` digest of the content, labels included."""
        ...

    def inputs(self, start: int, stop: int) -> dict[str, NDArray[np.generic]]:
        """Rows `start` to `stop` as tensors that fit the model's signature."""
        ...

    def describe(self) -> str:
        """In words: path, rows, features, labels."""
        ...


class Progress(Protocol):
    """Where long work reports how far it is. The default says nothing."""

    def start(self, text: str, total: float | None = None) -> None:
        """A new stage begins; `total` in any unit, None when unknown."""
        ...

    def advance(self, done: float, text: str | None = None) -> None:
        """So much of the stage is done (not how much more); `text` replaces the stage's words."""
        ...

    def say(self, line: str) -> None:
        """One line that stays on the screen."""
        ...

    def end(self) -> None:
        """The stage is over."""
        ...


class Silent:
    """A `Progress` that says nothing."""

    def start(self, text: str, total: float | None = None) -> None:
        """See `Progress`."""

    def advance(self, done: float, text: str | None = None) -> None:
        """See `Progress`."""

    def say(self, line: str) -> None:
        """See `Progress`."""

    def end(self) -> None:
        """See `Progress`."""
