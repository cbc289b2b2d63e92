"""Where a server's models come from, as the server sees it."""

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from modeldyno.server.served import Served

_LOG = logging.getLogger("modeldyno.server")


class OpenedModel(Protocol):
    """One version of a model, opened and warmed up."""

    @property
    def served(self) -> Served:
        """To be put into the plane."""
        ...

    def close(self) -> None:
        """Close its sessions and files, on any thread; nothing computes with it any more."""
        ...


class ModelSource(Protocol):
    """Where models come from."""

    def names(self) -> Sequence[str]:
        """All models that are there, whether they can be opened or not.

        Raises:
            DynoError: says why nobody can tell.
        """
        ...

    def versions(self, name: str) -> Sequence[str]:
        """All versions of one that are there.

        Raises:
            DynoError: says why nobody can tell.
        """
        ...

    def open(self, name: str) -> Sequence[OpenedModel]:
        """Open the versions of a model that are to be served, on any thread; all or none.

        Raises:
            DynoError: says why not.
        """
        ...


def close_all(opened: Iterable[OpenedModel]) -> None:
    """Close each, whatever becomes of the others."""
    for one in opened:
        try:
            one.close()
        except Exception:  # noqa: BLE001 - it is logged; the others are still to be closed
            _LOG.exception("a model could not be closed")
