"""`serve`: bundles as a service."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

from modeldyno.api.served.opened import Terms
from modeldyno.api.served.repository import Repository
from modeldyno.clock import Clock, SystemClock
from modeldyno.deployment.signing import vouch_of
from modeldyno.errors import UsageError
from modeldyno.policies.versions import parse_versions
from modeldyno.records.deployment import BatchingChanges
from modeldyno.records.server import ProtectionSettings, ServedBundle, ServerAccount, ServerSettings
from modeldyno.secret import Secret
from modeldyno.server.network.doors import Urls
from modeldyno.server.protection.protection import Protection
from modeldyno.server.serving import serve as serve_models

Place = str | PathLike[str]


def serve(  # noqa: PLR0913 - each is a matter of its own, and all but the first have defaults
    bundle: Place | Sequence[Place] = (),
    *,
    repository: Place | None = None,
    versions: str = "latest:1",
    settings: ServerSettings | None = None,
    protection: ProtectionSettings | None = None,
    trusted_key: Place | None = None,
    bundle_key: Secret | None = None,
    trust: bool = False,
    changes: BatchingChanges | None = None,
    on_ready: Callable[[Urls, Sequence[ServedBundle]], None] = lambda _urls, _bundles: None,
    clock: Clock | None = None,
) -> ServerAccount:
    """Serve bundles over the Open Inference Protocol until SIGTERM or SIGINT, then drain.

    Each is checked first: every file's digest, and every sample's answer on this machine. With an `admin_port` in the
    settings, models can be loaded anew and unloaded there while the server runs.

    Args:
        bundle: directory written by `tune`, or several.
        repository: directory with bundles as `NAME/VERSION/`, served under these names and versions.
        versions: which of the repository's to serve: `latest:N`, `all`, or some by number such as `1,3`.
        settings: host, port and limits; the defaults listen on 127.0.0.1:8000.
        protection: keys and audit log; by default everybody who reaches the port gets in, and nothing is written.
        trusted_key: PEM file with an Ed25519 public key; only bundles signed for it are served.
        bundle_key: of encrypted bundles.
        trust: whether bundles that hold code (Python files, TorchScript) may run it, those loaded later among them.
        changes: to how the bundles say that requests wait and are batched. Padding is switched on only where it
            leaves the answers to the bundle's samples as they are; else that is logged.
        on_ready: called once requests are answered: with the base URL of each door (`main`, and `grpc`, `admin`,
            `metrics`, `admin-grpc` if the settings have a port for them), and with what is served.
        clock: the clock to stamp with.

    Returns:
        What became of every accepted request.

    Raises:
        InputError: not a bundle, damaged, or its answers differ here from those it was proven with; a file for
            protection is missing or is something else.
        TrustError: one is not signed for `trusted_key`, or loading it would run code.
        OutputError: the audit log cannot be written.
        UsageError: there is nothing to serve, two have the same name and version, the port is in use, or the changes
            contradict one another or a model's signature.
    """
    clock, settings = clock or SystemClock(), settings or ServerSettings()
    protection, changes = protection or ProtectionSettings(), changes or BatchingChanges()
    bundles = [Path(bundle)] if isinstance(bundle, str | PathLike) else [Path(one) for one in bundle]
    terms = Terms(
        vouch=None if trusted_key is None else vouch_of(Path(trusted_key)),
        bundle_key=bundle_key,
        trust=trust,
        changes=changes,
    )
    source = _source(bundles, repository, versions, terms)
    if settings.workers != 1:
        from modeldyno.api.served.worker_crew import Offer, serve_with_workers  # what one process can do without

        offer = Offer(
            bundles=tuple(str(one) for one in bundles),
            repository=None if repository is None else str(repository),
            versions=versions,
            settings=settings,
            protection=protection,
            trusted_key=None if trusted_key is None else str(trusted_key),
            trust=trust,
            changes=changes,
        )
        return serve_with_workers(offer, bundle_key=bundle_key, on_ready=on_ready, clock=clock)
    with Protection(protection, clock=clock) as guarding:
        return serve_models(
            (),
            settings,
            clock=clock,
            on_ready=lambda urls: on_ready(urls, source.offers()),
            protection=guarding,
            source=source,
        )


def _source(bundles: Sequence[Path], repository: Place | None, versions: str, terms: Terms) -> Repository:
    folder = None if repository is None else Path(repository)
    source = Repository(bundles, folder, choice=parse_versions(versions), terms=terms)
    if not source.names():
        raise UsageError(
            "there is nothing to serve" if repository is None else f"{repository} holds no model",
            hint="dyno serve BUNDLE, or dyno serve --repository DIR with bundles in DIR/NAME/VERSION/",
        )
    return source
