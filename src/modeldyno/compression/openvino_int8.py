"""Int8 for OpenVINO: post-training quantisation by NNCF, and restoration of the layers that suffer most."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from modeldyno.children import ChildLimits, run_child
from modeldyno.compression.calibration import Calibration
from modeldyno.compression.dynamic_int8 import needs_reduced_range
from modeldyno.errors import UsageError
from modeldyno.records.artifact import Artifact, Task
from modeldyno.records.base import Record
from modeldyno.records.files import digest_files

Measure = Literal["flips", "error"]
"""What tells how far answers are off: the share of rows with another largest output, or the error of the values."""
MOST_OFF = 0.01
"""How far answers may be off before layers are restored; of flips the search's own limit, `flip_rate<=1%`."""
RESTORING_SHARE = 0.6
"""Of the child's time, so that what it found by then is still written."""


class Int8Task(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    """The .xml file in single precision."""
    destination: str
    calibration: Calibration
    fix_overflow: bool
    """Halve the range of weights, for processors whose int8 products saturate."""


class Int8Result(Record, frozen=True, kw_only=True):
    """What the child did."""

    nncf: str
    """Its version."""
    layers: int
    """That compute in int8 now."""


class RestoringTask(Record, frozen=True, kw_only=True):
    """What the other child is asked to do: quantise again, but for some layers."""

    quantising: Int8Task
    first: str
    """The .xml file of the model with all its layers in int8."""
    measure: Measure
    most_off: float
    budget_ns: int


class RestoringResult(Record, frozen=True, kw_only=True):
    """What it did."""

    restored: tuple[str, ...]
    """Names of layers that stay in single precision."""
    layers: int
    """That computed in int8 before."""
    tried: int
    """Of these, how many were looked at one by one within the budget."""
    off_before: float
    off_after: float


def quantise_int8(
    parent: Artifact,
    destination: Path,
    calibration: Calibration,
    *,
    cpu_flags: Sequence[str],
    limits: ChildLimits,
) -> Artifact:
    """Quantise weights and activations to 8 bits, where the processor gains from it.

    Weights are symmetric and per channel, activations asymmetric (NNCF's preset `mixed`); graphs with attention are
    quantised as such, which leaves softmax and norms in single precision.

    Args:
        parent: an OpenVINO artifact in single precision.
        destination: the .xml file to write; its folder exists.
        calibration: rows to take the ranges of activations from.
        cpu_flags: of the machine that will serve, see `needs_reduced_range`.
        limits: for the child.

    Raises:
        InputError: there is nothing to quantise.
        ToolError: the quantiser failed, crashed, or ran out of time or memory.
        UsageError: the parent is not OpenVINO, or NNCF is not installed.
    """
    task = _task(parent, destination, calibration, cpu_flags)
    doing = f"quantising {Path(parent.path).name} to int8"
    result = run_child("modeldyno.compression.openvino_int8_child", task, Int8Result, doing=doing, limits=limits)
    layers = f"{result.layers} {'layer' if result.layers == 1 else 'layers'}"
    range_of_weights = ", halved range of weights" if task.fix_overflow else ""
    recipe = f"NNCF {result.nncf}, int8 ({layers}{range_of_weights}), {calibration.label}"
    made = written(parent, destination, recipe=recipe, name="openvino-int8")
    return msgspec.structs.replace(made, calibration_digest=calibration.digest, cpu_flags=tuple(cpu_flags))


def restore_layers(
    parent: Artifact,
    destination: Path,
    calibration: Calibration,
    *,
    quantised: Path,
    task: Task,
    cpu_flags: Sequence[str],
    limits: ChildLimits,
) -> Artifact:
    """Quantise to int8, but leave those layers in single precision that take the answers furthest off.

    The error of the answers with one layer alone in int8 tells what that layer costs. The dearest are left out of a
    new quantisation, twice as many each time, until the answers are close enough or the time is up.

    Args:
        parent: an OpenVINO artifact in single precision.
        destination: the .xml file to write; its folder exists.
        calibration: rows to take ranges from, and to compare answers on.
        quantised: the .xml file that `quantise_int8` wrote.
        task: of the model: a classification counts other labels, all else the error of the values.
        cpu_flags: of the machine that will serve.
        limits: for the child.

    Raises:
        InputError: int8 answers as well as it is, or no layer helps.
        DynoError: see `quantise_int8`.
    """
    asked = RestoringTask(
        quantising=_task(parent, destination, calibration, cpu_flags),
        first=str(quantised),
        measure="flips" if task == "classification" else "error",
        most_off=MOST_OFF,
        budget_ns=round(RESTORING_SHARE * limits.timeout_ns),
    )
    doing = f"restoring layers of {Path(parent.path).name}"
    result = run_child("modeldyno.compression.restoring_child", asked, RestoringResult, doing=doing, limits=limits)
    unit = "of the answers" if asked.measure == "flips" else "of the values' size"
    tried = "" if result.tried == result.layers else f", {result.tried} tried in the time there was"
    recipe = (
        f"NNCF int8, {len(result.restored)} of {result.layers} layers restored{tried}: "
        f"{result.off_before:.2%} {unit} off before, {result.off_after:.2%} after; {calibration.label}"
    )
    made = written(parent, destination, recipe=recipe, name="openvino-int8-restored")
    return msgspec.structs.replace(made, calibration_digest=calibration.digest, cpu_flags=tuple(cpu_flags))


def written(parent: Artifact, destination: Path, *, recipe: str, name: str) -> Artifact:
    """The artifact that a child wrote as a .xml file with a .bin beside it."""
    weights = destination.with_suffix(".bin")
    return msgspec.structs.replace(
        parent,
        name=name,
        path=str(destination),
        files=(weights.name,),
        precision="int8",
        recipe=recipe,
        digest=digest_files(destination.parent, (destination.name, weights.name)),
        size_bytes=destination.stat().st_size + weights.stat().st_size,
        parent_digest=parent.digest,
    )


def _task(parent: Artifact, destination: Path, calibration: Calibration, cpu_flags: Sequence[str]) -> Int8Task:
    if parent.format != "openvino":
        raise UsageError(f"{parent.name} is not OpenVINO", why="NNCF quantises OpenVINO models here")
    return Int8Task(
        source=parent.path,
        destination=str(destination),
        calibration=calibration,
        fix_overflow=needs_reduced_range(cpu_flags),
    )
