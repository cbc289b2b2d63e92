"""Bundles on disk as what a server opens: single ones, and folders of models and versions."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from modeldyno.api.served.opened import OpenedBundle, Terms, open_single
from modeldyno.deployment.bundle import MANIFEST, PIPELINE
from modeldyno.errors import InputError, UsageError
from modeldyno.policies.versions import VersionChoice, is_version, order_of
from modeldyno.records.bundle import Bundle
from modeldyno.records.files import read_record
from modeldyno.records.pipeline import Pipeline
from modeldyno.records.server import ServedBundle
from modeldyno.server.repository.model_source import OpenedModel

_LAYOUT = "a repository is DIR/NAME/VERSION/, each with a bundle in it"


def open_served(directory: Path, *, terms: Terms, name: str | None = None, version: str | None = None) -> OpenedBundle:
    """Check a bundle, open its sessions, and ask each every sample.

    Args:
        directory: of the bundle.
        terms: on which it is opened.
        name: on the server; None: the bundle's own.
        version: on the server; None: the bundle's own.

    Raises:
        InputError: not a bundle, damaged, or its answers differ here from those it was proven with.
        TrustError: nobody vouches for it, or loading it would run code.
        UsageError: the changes contradict one another or its signature.
    """
    if (directory / PIPELINE).is_file():
        from modeldyno.api.served.pipelines import open_served_pipeline

        return open_served_pipeline(directory, terms=terms, name=name, version=version)
    return open_single(directory, terms=terms, name=name, version=version)


class Repository:
    """A `ModelSource`: reads anew what is on the disk whenever it is asked.

    Args:
        bundles: directories of single bundles, each served under its own name and version.
        directory: of models, each a folder of that name with a folder for each version; None for none. A bundle that
            lies in the folder of the name itself is its version 1.
        choice: which versions of the directory's models to serve.
        terms: on which bundles are opened.

    Raises:
        InputError: one of `bundles` is none, or `directory` is not there.
        UsageError: two have the same name and version.
    """

    def __init__(
        self,
        bundles: Sequence[Path],
        directory: Path | None = None,
        *,
        choice: VersionChoice,
        terms: Terms,
    ) -> None:
        self._directory = directory
        self._choice = choice
        self._terms = terms
        self._single: dict[str, dict[str, Path]] = {}
        self._offers: dict[str, list[ServedBundle]] = {}
        for path in bundles:
            name, version = identity_of(path)
            places = self._single.setdefault(name, {})
            if version in places:
                raise _twice(name, version, places[version], path)
            places[version] = path
        for name in self._folders():
            if name in self._single:
                raise _twice(name, "", next(iter(self._single[name].values())), _below(directory, name))

    def offers(self) -> list[ServedBundle]:
        """What was opened last of each model, in the order of their names."""
        return [offer for name in sorted(self._offers) for offer in self._offers[name]]

    def names(self) -> list[str]:
        """See `ModelSource`."""
        return sorted({*self._single, *self._folders()})

    def versions(self, name: str) -> list[str]:
        """See `ModelSource`."""
        return sorted(self._places(name), key=order_of)

    def open(self, name: str) -> Sequence[OpenedModel]:
        """See `ModelSource`."""
        with contextlib.ExitStack() as stack:
            opened: dict[str, tuple[OpenedBundle, Path]] = {}
            for version, path in self._chosen(name).items():
                one = self._open_one(name, version, path)
                stack.callback(one.close)
                twin = opened.setdefault(one.served.version, (one, path))
                if twin[0] is not one:
                    raise _twice(name, one.served.version, twin[1], path)
            if name in self._single:
                self._single[name] = {version: path for version, (_, path) in opened.items()}
            self._offers[name] = [
                ServedBundle(name=name, version=version, label=one.label, path=str(path))
                for version, (one, path) in opened.items()
            ]
            stack.pop_all()
            return [one for one, _ in opened.values()]

    def _open_one(self, name: str, version: str, path: Path) -> OpenedBundle:
        if name not in self._single:
            return open_served(path, terms=self._terms, name=name, version=version)
        one = open_served(path, terms=self._terms)
        if one.served.name != name:
            one.close()
            raise InputError(
                f"{path} holds the model {one.served.name!r} now, not {name!r}",
                hint="put it back, or start the server again",
            )
        return one

    def _chosen(self, name: str) -> dict[str, Path]:
        """The places of the versions to serve, lowest first; at least one."""
        places = self._places(name)
        if name in self._single:
            return places
        chosen = self._choice.choose(list(places))
        if chosen:
            return {version: places[version] for version in chosen}
        if places:
            there = ", ".join(sorted(places, key=order_of))
            raise InputError(
                f"model {name!r} has no version of those to be served, {self._choice}",
                why=f"there are {there}",
                hint="choose others with --versions, or add one of these",
            )
        if name in self._folders():
            raise InputError(f"{_below(self._directory, name)} holds no bundle", why=_LAYOUT)
        raise InputError(f"unknown model {name!r}", why=f"there are {', '.join(self.names()) or 'none'}")

    def _places(self, name: str) -> dict[str, Path]:
        """Every version of a model that is there, to its directory."""
        if name in self._single:
            return self._single[name]
        if name not in self._folders():
            return {}
        folder = _below(self._directory, name)
        if is_bundle(folder):
            return {"1": folder}
        return {path.name: path for path in _folders_in(folder) if is_version(path.name)}

    def _folders(self) -> list[str]:
        return [] if self._directory is None else [path.name for path in _folders_in(self._directory)]


def is_bundle(directory: Path) -> bool:
    """Whether there is a bundle in it, whatever its state."""
    return any((directory / name).is_file() for name in (MANIFEST, PIPELINE))


def identity_of(directory: Path) -> tuple[str, str]:
    """Name and version of the bundle in a directory, of which nothing else is looked at.

    Raises:
        InputError: it is none.
    """
    if not is_bundle(directory):
        what = f"{directory} is not a bundle" if directory.exists() else f"{directory} does not exist"
        why = f"it has no {MANIFEST}" if directory.exists() else ""
        raise InputError(what, why=why, hint="make a bundle with: dyno tune MODEL --data DATA")
    if (directory / PIPELINE).is_file():
        pipeline = read_record(directory / PIPELINE, Pipeline)
        return pipeline.name, pipeline.version
    bundle = read_record(directory / MANIFEST, Bundle)
    return bundle.name, bundle.version


def _below(directory: Path | None, name: str) -> Path:
    return Path(name) if directory is None else directory / name


def _folders_in(directory: Path) -> list[Path]:
    """Those that are not hidden: a bundle that is being written is."""
    try:
        return sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as problem:
        raise InputError(f"cannot read {directory}", why=problem.strerror or str(problem), hint=_LAYOUT) from problem


def _twice(name: str, version: str, one: Path, other: Path) -> UsageError:
    of_version = f" in version {version}" if version else ""
    return UsageError(
        f"the model {name!r} would be served twice{of_version}: {one} and {other}",
        hint="serve one of them; or put both below one DIR as NAME/VERSION/, where the folders name them, and: "
        "dyno serve --repository DIR",
    )
