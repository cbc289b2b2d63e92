"""Artifacts as they are opened: the model as it came among them."""

from pathlib import Path

from modeldyno.api.artifacts.choices import RUNTIMES_OF, runtime_named
from modeldyno.children import ChildLimits
from modeldyno.models.keras.file import LIMITS as KERAS_LIMITS
from modeldyno.models.keras.file import export_keras
from modeldyno.models.scikit.estimator import load_scikit, save_skops
from modeldyno.protocols import Session
from modeldyno.records.artifact import Artifact, Model, is_pickle
from modeldyno.records.deployment import RuntimeName, SessionSettings
from modeldyno.records.files import digest_file, digest_files

ORIGINAL = "original"
_LONGEST_NS = 120_000_000_000
"""As long as a recipe may take."""
_SHORTEST_NS = 30_000_000_000
"""Whatever the budget: Keras alone takes some seconds to be imported."""


def usual_runtime(artifact: Artifact) -> RuntimeName:
    """What an artifact is opened in unless something else is asked for."""
    return artifact.runtime or RUNTIMES_OF[artifact.format][0]


def open_artifact(
    artifact: Artifact,
    settings: SessionSettings | None = None,
    *,
    runtime: RuntimeName | None = None,
    place: Path | None = None,
    trust: bool = False,
) -> Session:
    """A session of an artifact.

    Args:
        artifact: what to open.
        settings: how; as the artifact is meant to be opened when None.
        runtime: in what; the usual one when None.
        place: where its main file is, if not where the artifact says.
        trust: whether the user vouches for it, so that opening may run code from it.

    Raises:
        InputError: it cannot be loaded.
        TrustError: loading would run code, and `trust` is false.
        UsageError: the runtime is not installed.
    """
    chosen = runtime_named(runtime or usual_runtime(artifact), trust=trust, entry=artifact.entry)
    return chosen.open(place or Path(artifact.path), artifact.signature, settings or artifact.session)


def artifact_of(model: Model) -> Artifact:
    """The model as it came."""
    return Artifact(
        name=ORIGINAL,
        path=model.path,
        files=model.files,
        entry=model.entry,
        format=model.format,
        precision=model.precision,
        recipe="as it came",
        digest=model.digest,
        size_bytes=model.size_bytes,
        parent_digest=None,
        signature=model.signature,
    )


def bundled_form(model: Model, folder: Path, *, trust: bool, budget_ns: int = _LONGEST_NS) -> Artifact:
    """The model as it came, as a bundle may hold it: neither a pickle nor a Keras file among them.

    A pickle is saved again in a form that cannot run code; a Keras file, which is read in a process of its own only,
    is exported to OpenVINO.

    Args:
        model: what `examine` said of it.
        folder: where another form is written.
        trust: whether the user vouches for the model.
        budget_ns: for all that is made; an export takes no more of it, and is killed then.

    Raises:
        InputError: it cannot be saved without pickle.
        ToolError: an export failed, or ran out of time or memory.
    """
    artifact, source = artifact_of(model), Path(model.path)
    if model.format == "keras":
        folder.mkdir(parents=True, exist_ok=True)
        timeout_ns = min(_LONGEST_NS, max(_SHORTEST_NS, budget_ns))
        limits = ChildLimits(timeout_ns=timeout_ns, memory_bytes=KERAS_LIMITS.memory_bytes)
        return export_keras(model, folder / f"{ORIGINAL}.xml", name=ORIGINAL, trust=trust, limits=limits)
    if model.format != "sklearn" or not is_pickle(source):
        return artifact
    path = folder / f"{ORIGINAL}.skops"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_skops(load_scikit(source, trust=trust), path)
    return Artifact(
        name=ORIGINAL,
        path=str(path),
        format=model.format,
        precision=model.precision,
        recipe=f"re-saved from {source.name} without pickle",
        digest=digest_file(path),
        size_bytes=path.stat().st_size,
        parent_digest=None,
        signature=model.signature,
    )


def is_intact(artifact: Artifact) -> bool:
    """Whether its files are there and as they were when it was made."""
    path = Path(artifact.path)
    names = (path.name, *artifact.files)
    return all((path.parent / name).is_file() for name in names) and artifact.digest == digest_files(path.parent, names)
