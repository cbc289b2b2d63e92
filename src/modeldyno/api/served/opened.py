"""A bundle of one model as what a server opens."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from modeldyno.api.artifacts.choices import PLATFORMS
from modeldyno.api.served.sessions import inputs_of, open_sessions, reopen_session, without_unproven_padding
from modeldyno.deployment.bundle import Vouch, open_bundle
from modeldyno.deployment.contents import Contents
from modeldyno.records.deployment import BatchingChanges
from modeldyno.secret import Secret
from modeldyno.server.models.service import ServedModel
from modeldyno.server.served import Served


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On which terms bundles are opened."""

    vouch: Vouch | None = None
    """Raises for a bundle that is not signed as it should be; None to take any."""
    bundle_key: Secret | None = None
    """Of encrypted ones."""
    trust: bool = False
    """Whether bundles that hold code may run it."""
    changes: BatchingChanges = field(default_factory=BatchingChanges)
    """To how a bundle says that requests wait and are batched."""


class OpenedBundle:
    """An `OpenedModel`: a bundle with its sessions.

    Args:
        served: for the server.
        label: how it is served, in a few words.
        close: closes its sessions and files.
    """

    def __init__(self, served: Served, *, label: str, close: Callable[[], None]) -> None:
        self.served = served
        self.label = label
        self._close = close

    def close(self) -> None:
        """See `OpenedModel`."""
        self._close()


def open_single(directory: Path, *, terms: Terms, name: str | None = None, version: str | None = None) -> OpenedBundle:
    """Check the bundle of one model, open its sessions, and ask each every sample; `open_served` says the rest."""
    bundle = open_bundle(directory, vouch=terms.vouch, opens_encrypted=True)
    with contextlib.ExitStack() as stack:
        contents = stack.enter_context(
            Contents(directory, bundle, key=terms.bundle_key, in_memory=terms.vouch is not None)
        )
        sessions = open_sessions(bundle, contents, trust=terms.trust)
        for session in sessions:
            stack.callback(session.close)
        samples = contents.samples()
        deployment = without_unproven_padding(sessions[0], terms.changes.apply(bundle.deployment), samples)
        served = ServedModel(
            name=bundle.name if name is None else name,
            version=bundle.version if version is None else version,
            platform=PLATFORMS[bundle.deployment.runtime],
            signature=bundle.signature,
            sessions=sessions,
            deployment=deployment,
            digest=bundle.artifact.digest,
            open_session=partial(reopen_session, bundle, contents, trust=terms.trust),
            probe=inputs_of(samples.samples[0], bundle.signature) if samples.samples else None,
            labels=_labels(bundle.origin.classes),
        )
        return OpenedBundle(served, label=bundle.deployment.label, close=stack.pop_all().close)


def _labels(classes: tuple[int | str, ...]) -> tuple[str, ...]:
    """None where the classes are called by their places."""
    return () if classes == tuple(range(len(classes))) else tuple(map(str, classes))
