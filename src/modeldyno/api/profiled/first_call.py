"""From nothing to the first answer, in processes of their own: what they wait for, and what they hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.children import ChildLimits, run_child
from modeldyno.clock import Clock
from modeldyno.records.anatomy import ColdStart, MemoryUse
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Estimate
from modeldyno.records.deployment import Deployment
from modeldyno.records.environment import Environment
from modeldyno.records.first_call import FirstCall, FirstCallTask, PackedArray
from modeldyno.stats.blocks import block_estimate

PROCESSES = 5
_LONGEST_NS = 300 * 10**9


class FirstCallTerms(NamedTuple):
    """Under which terms processes are started."""

    trust: bool
    """Whether the user vouches for the artifact."""
    environment: Environment
    deadline_ns: int
    """None is started after it, but for the first."""


def first_calls(
    artifact: Artifact,
    deployment: Deployment,
    batch: Mapping[str, NDArray[np.generic]],
    *,
    repeats: int,
    terms: FirstCallTerms,
    clock: Clock,
) -> tuple[ColdStart, MemoryUse]:
    """Start processes one after the other, at least one, and none after the deadline.

    Args:
        artifact: what each opens.
        deployment: as what; one instance of it.
        batch: of the first call.
        repeats: how often `batch` is repeated in the largest call.
        terms: under which.
        clock: the clock to measure with.

    Raises:
        DynoError: the one that a child met; a ToolError when it died, or took longer than five minutes.
    """
    limits = ChildLimits(timeout_ns=_LONGEST_NS, memory_bytes=_address_space(terms.environment))
    seen: list[FirstCall] = []
    while len(seen) < PROCESSES and (not seen or clock.now_ns() < terms.deadline_ns):
        task = FirstCallTask(
            started_ns=clock.now_ns(),
            path=artifact.path,
            entry=artifact.entry,
            signature=artifact.signature,
            deployment=deployment,
            trust=terms.trust,
            batch=tuple(_packed(name, array) for name, array in batch.items()),
            repeats=repeats,
        )
        doing = f"opening {Path(artifact.path).name} in a process of its own"
        seen.append(run_child("modeldyno.api.profiled.first_call_child", task, FirstCall, doing=doing, limits=limits))
    return _cold_start(deployment, seen), _memory_use(seen, repeats * deployment.batching.max_rows)


def _packed(name: str, array: NDArray[np.generic]) -> PackedArray:
    if array.dtype == object:
        return PackedArray(name=name, dtype="object", shape=array.shape, texts=tuple(array.ravel().tolist()))
    return PackedArray(name=name, dtype=array.dtype.str, shape=array.shape, raw=array.tobytes())


def _address_space(environment: Environment) -> int:
    """No limit that matters: the process may hold what this machine can, and address spaces are larger than that."""
    return 4 * environment.memory_bytes


def _cold_start(deployment: Deployment, seen: Sequence[FirstCall]) -> ColdStart:
    return ColdStart(
        deployment=deployment,
        batch_rows=deployment.batching.max_rows,
        processes=len(seen),
        process_ns=_estimate([one.process_ns for one in seen]),
        library_ns=_estimate([one.library_ns for one in seen]),
        load_ns=_estimate([one.load_ns for one in seen]),
        first_ns=_estimate([one.first_ns for one in seen]),
        warm_ns=_estimate([one.warm_ns for one in seen]),
        total_ns=_estimate([one.process_ns + one.library_ns + one.load_ns + one.first_ns for one in seen]),
    )


def _estimate(times_ns: Sequence[int]) -> Estimate:
    return block_estimate([float(one) for one in times_ns])


def _memory_use(seen: Sequence[FirstCall], largest_batch_rows: int) -> MemoryUse:
    return MemoryUse(
        runtime_bytes=round(median(one.runtime_bytes for one in seen)),
        model_bytes=round(median(one.loaded_bytes - one.runtime_bytes for one in seen)),
        call_bytes=round(median(one.called_bytes - one.loaded_bytes for one in seen)),
        batch_bytes=round(median(one.largest_bytes - one.called_bytes for one in seen)),
        largest_batch_rows=largest_batch_rows,
        peak_bytes=round(median(one.peak_bytes for one in seen)),
    )
