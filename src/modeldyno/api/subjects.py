"""What a verb is about: a model file or a bundle, opened the same way."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modeldyno.api.artifacts.gaps import TriedRow, fills_gaps, gaps_of, may_take_gaps
from modeldyno.api.artifacts.opening import artifact_of, open_artifact
from modeldyno.data.asked import TakesGaps
from modeldyno.deployment.bundle import MANIFEST, PIPELINE, open_bundle
from modeldyno.models.examine import examine
from modeldyno.protocols import Session
from modeldyno.records.artifact import Task
from modeldyno.records.signature import Signature


@dataclass(frozen=True, slots=True)
class Subject:
    """A model or bundle that can be opened for computing."""

    name: str
    signature: Signature
    task: Task
    classes: tuple[int | str, ...]
    open: Callable[[], Session]
    takes_gaps: TakesGaps | None = None
    """Whether it answers a row that lacks a number; None: nobody can tell."""


def subject_at(path: Path, *, trust: bool, task: Task | None) -> Subject:
    """The model file or bundle at `path`.

    Raises:
        InputError: neither, or not readable.
        TrustError: loading would run code, and `trust` is False.
    """
    if (path / PIPELINE).is_file():
        from modeldyno.api.served.pipelines import open_pipeline_session
        from modeldyno.deployment.pipeline_bundle import open_pipeline

        pipeline = open_pipeline(path)
        return Subject(
            pipeline.name,
            pipeline.signature,
            task or pipeline.task,
            pipeline.classes,
            lambda: open_pipeline_session(path, pipeline),
            TriedRow(lambda: fills_gaps(pipeline.graph), lambda: open_pipeline_session(path, pipeline)),
        )
    if (path / MANIFEST).is_file():
        bundle = open_bundle(path)
        deployment = bundle.deployment

        def open_bundled() -> Session:
            return open_artifact(
                bundle.artifact,
                deployment.session,
                runtime=deployment.runtime,
                place=path / bundle.artifact.path,
                trust=trust,
            )

        gaps = TriedRow(lambda: may_take_gaps(bundle.artifact, path / bundle.artifact.path), open_bundled)
        return Subject(bundle.name, bundle.signature, task or bundle.task, bundle.origin.classes, open_bundled, gaps)
    model = examine(path, trust=trust, task=task)

    return Subject(
        model.name,
        model.signature,
        model.task,
        model.classes,
        lambda: open_artifact(artifact_of(model), trust=trust),
        gaps_of(artifact_of(model), trust=trust),
    )
