"""A few requests with the answers that a pipeline must give."""

from pathlib import Path

import numpy as np

from modeldyno.api.served.sessions import inputs_of, is_storable, values_of
from modeldyno.api.workshop.packing import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE, SAMPLES
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.deployment.bundle import SAMPLES as SAMPLES_FILE
from modeldyno.errors import DataError
from modeldyno.protocols import Dataset, Session, Tensors
from modeldyno.records.bundle import Sample, Samples
from modeldyno.records.files import read_record
from modeldyno.records.pipeline import STAGE_OUTPUT
from modeldyno.records.signature import Signature, TensorSpec

_LOOKED_AT = 256


def samples_for(session: Session, dataset: Dataset | None, bundle: Path | None, *, seed: int) -> Samples:
    """Requests of one row each, and what the session answers; of a cascade, rows of every stage.

    Args:
        session: of the pipeline.
        dataset: where the rows are from; None: from the samples of a bundle that takes the same, else made up.
        bundle: of the first member.
        seed: of made rows.
    """
    signature = session.signature
    rows = _rows_of(dataset, session) if dataset is not None else _stored(bundle, signature)
    if not rows:
        rows = _made(signature, seed)
    kept = []
    for inputs in rows:
        outputs = _answer(session, inputs)
        if outputs is not None and all(is_storable(array) for array in (*inputs.values(), *outputs.values())):
            kept.append(Sample(inputs=_listed(inputs, signature.inputs), outputs=_listed(outputs, signature.outputs)))
    return Samples(samples=tuple(kept), relative_tolerance=RELATIVE_TOLERANCE, absolute_tolerance=ABSOLUTE_TOLERANCE)


def rows_for(dataset: Dataset | None, bundle: Path | None, signature: Signature, *, seed: int) -> list[Tensors]:
    """A few requests, whatever they are answered; arguments as for `samples_for`."""
    if dataset is not None:
        together = min(_LOOKED_AT, dataset.rows) if signature.has_batch_dimension else 1
        return [dataset.inputs(0, together)]
    return _stored(bundle, signature) or _made(signature, seed)


def _answer(session: Session, inputs: Tensors) -> Tensors | None:
    try:
        return session.run(inputs)
    except DataError:
        return None  # an operation refuses such a row, as it should


def _listed(tensors: Tensors, specs: tuple[TensorSpec, ...]) -> dict[str, list]:  # type: ignore[type-arg]
    return {spec.name: values_of(tensors[spec.name], spec) for spec in specs}


def _rows_of(dataset: Dataset, session: Session) -> list[Tensors]:
    """The first rows; where a row can be answered by several stages, some of each."""
    looked_at = min(_LOOKED_AT, dataset.rows) if session.signature.has_batch_dimension else 1
    places = np.arange(looked_at)
    outputs = session.run(dataset.inputs(0, looked_at)) if looked_at > 1 else {}
    if STAGE_OUTPUT in outputs:
        stages = outputs[STAGE_OUTPUT]
        each = max(1, SAMPLES // len(np.unique(stages)))
        places = np.concatenate([np.flatnonzero(stages == stage)[:each] for stage in np.unique(stages)])
    return [dataset.inputs(int(row), int(row) + 1) for row in places[:SAMPLES]]


def _stored(bundle: Path | None, signature: Signature) -> list[Tensors]:
    if bundle is None:
        return []
    samples = read_record(bundle / SAMPLES_FILE, Samples).samples
    names = {spec.name for spec in signature.inputs}
    return [inputs_of(sample, signature) for sample in samples if set(sample.inputs) == names]


def _made(signature: Signature, seed: int) -> list[Tensors]:
    rows = SAMPLES if signature.has_batch_dimension else 1
    dataset = synthetic_dataset(signature, rows, seed)
    return [dataset.inputs(row, row + 1) for row in range(rows)]
