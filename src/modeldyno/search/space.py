"""The deployments worth trying: {artifact x runtime x threads x instances x batch}."""

from collections.abc import Mapping, Sequence

import msgspec

from modeldyno.records.artifact import Artifact, ModelFormat
from modeldyno.records.deployment import Batching, Deployment, RuntimeName, SessionSettings

LARGEST_BATCH = 64
"""Beyond this, waiting for a batch to fill costs more than it saves at the rates one machine sees."""


def thread_shapes(cores: int) -> list[tuple[int, int]]:
    """(threads, instances) that never ask for more than `cores`: one lane, one wide session, many narrow ones.

    For each thread count 1, 2, 4, ... the extremes are tried: a single instance, and as many as fit.
    """
    shapes: list[tuple[int, int]] = []
    threads = 1
    while threads <= cores:
        for instances in (1, cores // threads):
            if (threads, instances) not in shapes:
                shapes.append((threads, instances))
        threads *= 2
    if (cores, 1) not in shapes:
        shapes.append((cores, 1))
    return shapes


def batch_sizes(*, can_batch: bool, largest: int = LARGEST_BATCH) -> list[int]:
    """1, 2, 4, ... `largest`; only 1 for a model without a batch dimension."""
    if not can_batch:
        return [1]
    return [2**power for power in range(largest.bit_length())]


def deployments(
    artifacts: Sequence[Artifact],
    runtimes_of: Mapping[ModelFormat, Sequence[RuntimeName]],
    *,
    cores: int,
    can_batch: bool,
) -> list[Deployment]:
    """All combinations; `runtimes_of` maps an artifact's format to the runtimes that open it, the usual one first.

    Small batches come first, so that a budget that runs out has seen every artifact.
    """
    return [
        deployment_of(artifact, runtimes_of[artifact.format][0], threads=threads, instances=instances, batch=batch)
        for batch in batch_sizes(can_batch=can_batch)
        for artifact in artifacts
        for threads, instances in thread_shapes(cores)
    ]


def deployment_of(artifact: Artifact, usual: RuntimeName, *, threads: int, instances: int, batch: int) -> Deployment:
    """One deployment of an artifact as it is meant to be opened; `usual` where it does not say in what."""
    made = deployment(artifact.name, artifact.runtime or usual, threads=threads, instances=instances, batch=batch)
    return msgspec.structs.replace(made, session=msgspec.structs.replace(artifact.session, threads=threads))


def deployment(artifact: str, runtime: RuntimeName, *, threads: int, instances: int, batch: int) -> Deployment:
    """One deployment with the queue sized for it."""
    return Deployment(
        artifact=artifact,
        runtime=runtime,
        session=SessionSettings(threads=threads),
        instances=instances,
        batching=Batching(max_rows=batch),
        max_queued_rows=max(4096, 32 * batch * instances),
    )


def reference_deployment(runtime: RuntimeName) -> Deployment:
    """The model as it came: its own runtime, one thread, one instance, one request at a time."""
    return deployment("original", runtime, threads=1, instances=1, batch=1)
