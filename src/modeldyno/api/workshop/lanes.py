"""Lanes of a deployment over a dataset: sessions opened, batches cut."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modeldyno.bench.lanes import Lanes
from modeldyno.clock import Clock
from modeldyno.protocols import Dataset, Runtime, Session
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import Deployment


def open_lanes(runtime: Runtime, artifact: Artifact, deployment: Deployment, *, clock: Clock) -> Lanes:
    """Open one session for each instance; when one fails, those that were opened are closed again."""
    opened: list[Session] = []
    try:
        opened.extend(
            runtime.open(Path(artifact.path), artifact.signature, deployment.session)
            for _ in range(deployment.instances)
        )
    except BaseException:
        for session in opened:
            session.close()
        raise
    return Lanes(opened, clock)


def batch_of(dataset: Dataset, rows: int) -> dict[str, NDArray[np.generic]]:
    """The first `rows` rows, begun again from the top when the dataset has fewer."""
    available = min(rows, dataset.rows)
    tensors = dataset.inputs(0, available)
    if available == rows:
        return tensors
    picks = np.arange(rows) % available
    return {name: np.ascontiguousarray(tensor[picks]) for name, tensor in tensors.items()}
