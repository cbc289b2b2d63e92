"""What is profiled: a model file as it came, or the artifact of a bundle in the runtime that the bundle names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.api.artifacts.choices import RUNTIMES_OF
from modeldyno.api.artifacts.opening import artifact_of
from modeldyno.deployment.bundle import MANIFEST, PIPELINE, open_bundle
from modeldyno.errors import InputError, UsageError, first_line
from modeldyno.models.examine import examine
from modeldyno.records.anatomy import GraphCost
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.deployment import RuntimeName, SessionSettings

_LARGEST_GRAPH_BYTES = 1_800_000_000
"""Shape inference takes a graph in one message, which protobuf limits to 2 GiB."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """A model, the artifact that is measured, and how it is opened."""

    model: Model
    artifact: Artifact
    runtimes: tuple[RuntimeName, ...]
    settings: SessionSettings
    """But for the threads, which are varied."""
    bundle: str | None

    def cost(self, row: Mapping[str, NDArray[np.generic]]) -> GraphCost | None:
        """See `cost_of`."""
        return cost_of(self.artifact, row)


def cost_of(artifact: Artifact, row: Mapping[str, NDArray[np.generic]]) -> GraphCost | None:
    """What one row costs by the graph; None where there is no ONNX graph, or one too large to be read at once.

    Raises:
        InputError: the shapes of the graph contradict one another.
    """
    if artifact.format != "onnx" or artifact.size_bytes > _LARGEST_GRAPH_BYTES:
        return None
    import onnx

    from modeldyno.models.onnx.graph_costs import graph_cost

    model = onnx.load_model(artifact.path, load_external_data=False)
    try:
        return graph_cost(model, {name: array.shape for name, array in row.items()})
    except Exception as problem:  # onnx raises errors of its own that share no base but Exception
        raise InputError("the operations of a row were not counted", why=first_line(problem)) from problem


def profiled_at(path: Path, *, trust: bool) -> Profiled:
    """The model file or bundle at `path`.

    Raises:
        InputError: neither, or not readable.
        TrustError: loading would run code, and `trust` is False.
        UsageError: a bundle of several bundles.
    """
    if (path / PIPELINE).is_file():
        raise UsageError(
            f"{path} is a pipeline of several models",
            why="each of them has its own operators, layers and memory",
            hint=f"profile them one by one: ls {path}",
        )
    if not (path / MANIFEST).is_file():
        model = examine(path, trust=trust)
        artifact = artifact_of(model)
        return Profiled(model, artifact, tuple(RUNTIMES_OF[model.format]), artifact.session, None)
    bundle = open_bundle(path)
    artifact = msgspec.structs.replace(bundle.artifact, path=str(path / bundle.artifact.path))
    model = msgspec.structs.replace(
        bundle.origin,
        name=bundle.name,
        path=artifact.path,
        format=artifact.format,
        description=f"{bundle.origin.description}, {artifact.recipe}",
        precision=artifact.precision,
        size_bytes=artifact.size_bytes,
        digest=artifact.digest,
        signature=bundle.signature,
    )
    served = bundle.deployment
    return Profiled(model, artifact, (served.runtime,), served.session, str(path))
