"""Bundles of scikit-learn models as they are, without a search."""

from pathlib import Path
from typing import Any

from modeldyno.deployment.bundle import write_bundle
from modeldyno.models.examine import examine
from modeldyno.records.artifact import Artifact
from modeldyno.records.bundle import Bundle, Samples
from modeldyno.records.deployment import Batching, Deployment


def write_scikit_bundle(directory: Path, estimator: Any, *, name: str = "") -> Path:
    """Write a bundle of a fitted estimator, without samples, and return its directory.

    Args:
        directory: where it goes.
        estimator: of a type that skops loads without being told to trust it.
        name: on the server; empty: the directory's, without its ending.
    """
    import skops.io

    directory.parent.mkdir(parents=True, exist_ok=True)
    source = directory.with_name(f"{name or directory.stem}.skops")
    skops.io.dump(estimator, source)
    model = examine(source, trust=True, task=None)
    artifact = Artifact(
        name="original", path="model.skops", format="sklearn", precision="fp64", recipe="as it came",
        digest=model.digest, size_bytes=model.size_bytes, parent_digest=None, signature=model.signature,
    )  # fmt: skip
    bundle = Bundle(
        tool_version="0", created_at="2026-01-01T00:00:00+00:00", name=model.name, task=model.task,
        signature=model.signature, artifact=artifact, origin=model, files={}, build_cpu_flags=(),
        deployment=Deployment(artifact="original", runtime="scikit-learn", batching=Batching(max_rows=32)),
    )  # fmt: skip
    samples = Samples(samples=(), relative_tolerance=1e-3, absolute_tolerance=1e-4)
    write_bundle(directory, bundle, artifact=source, samples=samples, datasheet=None)
    return directory
