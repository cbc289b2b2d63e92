"""`fuse`: operations and an ONNX model as one ONNX model, held against what they do apart."""

from collections.abc import Sequence
from contextlib import closing
from os import PathLike
from pathlib import Path

import numpy as np

from modeldyno import __version__
from modeldyno.api.artifacts.choices import runtime_named
from modeldyno.api.combined.parts import parts_at
from modeldyno.bench.ways import Turns, take_turns
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import OutputError, ToolError, UsageError
from modeldyno.machine.environment import capture_environment
from modeldyno.models.onnx.fusion import fuse_onnx
from modeldyno.models.onnx.graph import onnx_signature, read_onnx
from modeldyno.processing.graph import plan_pipeline
from modeldyno.processing.session import PipelineSession
from modeldyno.protocols import Dataset, Session, Tensors
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.files import digest_file
from modeldyno.records.fusion import Fusion, FusionSpeed
from modeldyno.records.pipeline import Member
from modeldyno.records.pipeline import Sequence as StepSequence
from modeldyno.records.processing import Processing
from modeldyno.seeds import DEFAULT_SEED
from modeldyno.stats.blocks import median_estimate, paired_ratio

Place = str | PathLike[str]
_COMPARED_ROWS = 256
_SIZES = (1, 32)
_TOLERANCE = 1e-4
"""Absolute and relative: ONNX Runtime adds in another order than NumPy."""


def fuse(
    parts: Sequence[Place],
    *,
    out: Place,
    data: Place | None = None,
    force: bool = False,
    seed: int = DEFAULT_SEED,
    clock: Clock | None = None,
) -> Fusion:
    """Put operations into the graph of an ONNX model, compare the answers, and measure the gain.

    Args:
        parts: in order: at most one `.json` file of operations, an `.onnx` file, at most one more `.json` file.
        out: where the new `.onnx` file goes.
        data: rows to compare on; None: made up.
        force: replace what is there.
        seed: of made rows.
        clock: for the times.

    Raises:
        InputError: a part cannot be read.
        UsageError: the parts are others, or an operation cannot become a part of the graph.
        DataError: the data do not fit.
        OutputError: the place is taken or cannot be written.
        ToolError: the fused model answers differently; nothing is left at `out`.
    """
    clock, place = clock or SystemClock(), Path(out)
    before, model, after = _sorted(parts)
    if place.exists() and not force:
        raise OutputError(f"{place} is there already", hint="--force replaces it")
    nodes = fuse_onnx(model, place, before=before, after=after)
    signature = onnx_signature(read_onnx(place), place)
    rows = _COMPARED_ROWS if signature.has_batch_dimension else 1
    dataset = open_dataset(Path(data), signature) if data else synthetic_dataset(signature, rows, seed)
    with closing(_apart(model, before, after)) as apart, closing(_opened(place)) as fused:
        compared = min(rows, dataset.rows)
        try:
            difference = _difference(apart, fused, dataset.inputs(0, compared))
        except ToolError:
            place.unlink()
            raise
        sizes = [size for size in _SIZES if size <= compared]
        speed = tuple(_speed(apart, fused, dataset, size, clock) for size in sizes)
    return Fusion(
        tool_version=__version__,
        fused_at=clock.wall_time(),
        environment=capture_environment(),
        parts=tuple(str(part) for part in parts),
        out=str(place),
        digest=digest_file(place),
        operations=sum(len(one.operations) for one in (before, after) if one),
        nodes=nodes,
        signature=signature,
        rows=compared,
        data=dataset.describe(),
        largest_difference=difference,
        speed=speed,
    )


def _sorted(parts: Sequence[Place]) -> tuple[Processing | None, Path, Processing | None]:
    places = [Path(part) for part in parts]
    models = [number for number, place in enumerate(places) if place.suffix.lower() == ".onnx"]
    if len(models) != 1 or len(places) > 3 or models[0] > 1 or len(places) - models[0] > 2 or len(places) < 2:
        raise UsageError(
            f"{', '.join(map(str, places))} cannot be fused",
            why="needed are an .onnx file, and a .json file of operations before it, behind it, or both",
            hint="dyno fuse before.json model.onnx after.json --out fused.onnx",
        )
    found = [None if place.suffix.lower() == ".onnx" else _operations(place) for place in places]
    before = found[0] if models[0] == 1 else None
    after = found[-1] if len(places) - models[0] == 2 else None
    return before, places[models[0]], after


def _operations(place: Path) -> Processing:
    node = parts_at([place], takes_files=True)[0].node
    if not isinstance(node, Processing):
        raise UsageError(f"{place} holds no operations", hint="a .json file with operations is needed")
    return node


def _opened(path: Path) -> Session:
    signature = onnx_signature(read_onnx(path), path)
    return runtime_named("onnxruntime").open(path, signature, SessionSettings())


def _apart(model: Path, before: Processing | None, after: Processing | None) -> Session:
    session = _opened(model)
    steps = tuple(one for one in (before, Member(name="model"), after) if one is not None)
    steps = steps if before is None or before.inputs else (_declared(before, session), *steps[1:])
    plan = plan_pipeline(StepSequence(steps=steps), {"model": session.signature})
    return PipelineSession(plan, {"model": session}, owns=True)


def _declared(before: Processing, session: Session) -> Processing:
    from modeldyno.processing.members import own_inputs

    return Processing(operations=before.operations, inputs=tuple(own_inputs(session.signature).values()))


def _difference(apart: Session, fused: Session, inputs: Tensors) -> float:
    """The largest difference of two numbers.

    Raises:
        ToolError: something differs that should not.
    """
    expected, given = apart.run(inputs), fused.run(inputs)
    largest = 0.0
    for name, array in expected.items():
        other = given[name]
        if array.dtype.kind == "f":
            is_same = np.allclose(array, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
            apart_by = np.abs(array.astype(np.float64) - other.astype(np.float64))
            largest = max(largest, float(np.nanmax(apart_by, initial=0.0)))
        else:
            is_same = np.array_equal(array, other)
        if not is_same:
            raise ToolError(
                f"the fused model gives another {name!r} than its parts",
                why=f"the largest difference is {largest:.3g}" if array.dtype.kind == "f" else "values differ",
                hint="keep the operations outside: dyno combine sequence",
            )
    return largest


def _speed(apart: Session, fused: Session, dataset: Dataset, rows: int, clock: Clock) -> FusionSpeed:
    inputs = dataset.inputs(0, rows)
    ways = {"apart": lambda: apart.run(inputs), "fused": lambda: fused.run(inputs)}
    blocks = take_turns(ways, Turns(blocks=20), clock=clock)
    return FusionSpeed(
        rows=rows,
        apart_ns=median_estimate(blocks["apart"]),
        fused_ns=median_estimate(blocks["fused"]),
        ratio=paired_ratio(blocks["apart"], blocks["fused"]),
    )
