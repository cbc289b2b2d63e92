"""A deployment and its artifact as a bundle."""

from pathlib import Path

import msgspec

from modeldyno import __version__
from modeldyno.api.judging.answers import answer_all, resolved_task
from modeldyno.api.profiled.effective import with_effective_precision
from modeldyno.api.served.sessions import is_storable, values_of
from modeldyno.api.workshop.candidates import Maker
from modeldyno.api.workshop.lanes import batch_of
from modeldyno.clock import Clock
from modeldyno.deployment.bundle import write_bundle
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Session
from modeldyno.records.artifact import Artifact
from modeldyno.records.bundle import Bundle, Datasheet, Sample, Samples
from modeldyno.records.deployment import Deployment

SAMPLES = 4
EXPECTED_ANSWERS = 10_000
"""Of which a bundle keeps what it answered; as many lines of JSON are 50 kB."""
RELATIVE_TOLERANCE = 1e-3
ABSOLUTE_TOLERANCE = 1e-4
"""Wide enough for another processor's summation order in float32, narrow enough to catch an int8 file that
saturates."""


def pack(
    deployment: Deployment,
    artifact: Artifact,
    maker: Maker,
    *,
    directory: Path,
    datasheet: Datasheet | None,
    clock: Clock,
    force: bool,
) -> Bundle:
    """Write the bundle of a deployment, with a few real rows and the answers that it must give.

    Raises:
        OutputError: see `deploy.bundle.write_bundle`.
    """
    source = Path(artifact.path)
    if datasheet is not None:
        batch = batch_of(maker.dataset, 1)
        artifact = with_effective_precision(artifact, deployment.runtime, batch, trust=maker.trust)
        datasheet = msgspec.structs.replace(
            datasheet, computed_in=artifact.computed_in, calibration_digest=artifact.calibration_digest
        )
    bundle = Bundle(
        tool_version=__version__,
        created_at=clock.wall_time(),
        name=maker.model.name,
        task=resolved_task(maker.model.task, maker.dataset.labels),
        signature=artifact.signature,
        deployment=deployment,
        artifact=msgspec.structs.replace(artifact, path=stored_path(artifact)),
        origin=maker.model,
        files={},
        build_cpu_flags=capture_environment().cpu_flags,
    )
    samples = _samples(maker, artifact, deployment)
    return write_bundle(directory, bundle, artifact=source, samples=samples, datasheet=datasheet, force=force)


def stored_path(artifact: Artifact) -> str:
    """Where the main file of an artifact is in a bundle: several files have a folder, for they name one another."""
    source = Path(artifact.path)
    return f"artifact/{source.name}" if artifact.files else f"model{source.suffix}"


def _samples(maker: Maker, artifact: Artifact, deployment: Deployment) -> Samples:
    session = maker.open(artifact, deployment.session)
    kept = []
    try:
        answers = _expected_answers(maker, session)
        for row in range(min(SAMPLES, maker.dataset.rows)):
            inputs = maker.dataset.inputs(row, row + 1)
            outputs = session.run(inputs)
            if all(is_storable(tensor) for tensor in (*inputs.values(), *outputs.values())):
                kept.append(
                    Sample(
                        inputs={spec.name: values_of(inputs[spec.name], spec) for spec in artifact.signature.inputs},
                        outputs={spec.name: values_of(outputs[spec.name], spec) for spec in artifact.signature.outputs},
                    )
                )
    finally:
        session.close()
    return Samples(
        samples=tuple(kept),
        relative_tolerance=RELATIVE_TOLERANCE,
        absolute_tolerance=ABSOLUTE_TOLERANCE,
        answers=answers,
        rows_digest=maker.dataset.digest if answers else "",
    )


def _expected_answers(maker: Maker, session: Session) -> tuple[int | float | str, ...]:
    """What the bundle answers to the first rows, as far as it is one label or value each."""
    task = resolved_task(maker.model.task, maker.dataset.labels)
    if not maker.is_real_data or task not in ("classification", "regression"):
        return ()
    rows = min(maker.dataset.rows, EXPECTED_ANSWERS)
    found = answer_all(
        session, maker.dataset, task=task, classes=maker.model.classes, progress=maker.progress, rows=rows
    )
    return tuple(found.tolist()) if found.ndim == 1 else ()
