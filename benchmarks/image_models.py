"""What can be made of an image model: every artifact of a ResNet-18-like network against the model as it came.

    python benchmarks/image_models.py [--rounds 15] [--images 256]

The network is made on the spot, see `residual_net.py`. Artifacts are made by the recipes
of `dyno tune`, calibrated on half of the images, which the network was made with; agreement with the model as it came
is taken from the other half. Speed is that of one row a call, one thread, in process: all artifacts in turns, round by
round, so that whatever changes on the machine meets them all.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from conditions import against_bars, conditions, heading, keep, median_of, spread, table
from numpy.typing import NDArray
from residual_net import Array, patterns, write_residual_net

from modeldyno.api.artifacts.opening import artifact_of, open_artifact
from modeldyno.api.artifacts.recipe import Situation
from modeldyno.api.artifacts.recipes import make_artifacts
from modeldyno.data.files import open_dataset
from modeldyno.loadgen.watching.stolen_time import ProcessorTime, stolen_fraction
from modeldyno.machine.environment import capture_environment
from modeldyno.models.examine import examine
from modeldyno.protocols import Session, Silent, Tensors
from modeldyno.records.artifact import Artifact
from modeldyno.records.search import Refusal

LEAST_RATIO = 3.5
CALLS = 8
"""Of each artifact in a round."""


class Contender(NamedTuple):
    """An artifact, ready to compute."""

    artifact: Artifact
    session: Session
    wall_ms: list[float]
    cpu_ms: list[float]


def make_all(directory: Path, images: Array, labels: NDArray[np.int64]) -> tuple[list[Artifact], list[Refusal]]:
    """The model as it came and everything that the recipes make of it, calibrated on `images`."""
    path = write_residual_net(directory / "residual.onnx", images, labels)
    np.savez(directory / "images.npz", X=images)
    model = examine(path, trust=False, task="classification")
    original = artifact_of(model)
    situation = Situation(
        model=model,
        dataset=open_dataset(directory / "images.npz", model.signature, label=None),
        folder=directory / "artifacts",
        cpu_flags=capture_environment().cpu_flags,
        trust=False,
    )
    made, refused = make_artifacts(original, situation, progress=Silent(), is_time_up=lambda: False)
    return [original, *made], refused


def race(contenders: Sequence[Contender], rows: Sequence[Tensors], rounds: int) -> list[float | None]:
    """Time each in turns; what the hypervisor took in each round."""
    for one in contenders:
        one.session.run(rows[0])
    stolen = []
    for number in range(rounds):
        before = ProcessorTime.read()
        for one in contenders:
            row = rows[number % len(rows)]
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(CALLS):
                one.session.run(row)
            one.wall_ms.append((time.perf_counter() - wall) / CALLS * 1e3)
            one.cpu_ms.append((time.process_time() - cpu) / CALLS * 1e3)
        stolen.append(stolen_fraction(before, ProcessorTime.read()))
    return stolen


def agreement(wanted: Array, found: Array) -> dict[str, float]:
    """The share of images with the same class, and the error of the values over their size."""
    return {
        "same_class": float((wanted.argmax(axis=1) == found.argmax(axis=1)).mean()),
        "error": float(np.sqrt(np.mean((wanted - found) ** 2) / np.mean(wanted**2))),
    }


def answers(session: Session, images: Array) -> Array:
    """To each image alone."""
    return np.concatenate([np.asarray(session.run({"x": image[None]})["y"]) for image in images])


def timings(one: Contender, original: Contender) -> dict[str, Any]:
    """The figures of one artifact, and how much faster it is in each round."""
    return {
        "name": one.artifact.name,
        "recipe": one.artifact.recipe,
        "size_bytes": one.artifact.size_bytes,
        "wall_ms": one.wall_ms,
        "cpu_ms": one.cpu_ms,
        "faster": [own / other for own, other in zip(original.wall_ms, one.wall_ms, strict=True)],
        "faster_cpu": [own / other for own, other in zip(original.cpu_ms, one.cpu_ms, strict=True)],
    }


def report(found: Sequence[dict[str, Any]], refused: Sequence[Refusal], images: int) -> list[str]:
    """Tables and the bar."""
    best = max(found, key=lambda one: median_of(one["faster"]) or 0.0)
    rows = [
        [
            one["name"],
            spread(one["wall_ms"], 1),
            spread(one["cpu_ms"], 1),
            spread(one["faster"], 2),
            spread(one["faster_cpu"], 2),
            f"{one['size_bytes'] / 1e6:.1f}",
            f"{one['same_class']:.1%}",
            f"{one['error']:.2%}",
        ]
        for one in found
    ]
    columns = (
        "artifact", "ms a row", "CPU ms a row", "speed × original", "the same in CPU time", "MB",
        f"same class, of {images}", "error of the values",
    )  # fmt: skip
    return [
        *table(columns, rows),
        *(f"- {one['name']}: {one['recipe']}" for one in found),
        *(f"- not made, {one.name}: {one.reason}" for one in refused),
        "",
        f"Best: {best['name']}, with the original's class for {best['same_class']:.1%} of {images} other images.",
        "",
        *against_bars(
            [("best artifact over ONNX Runtime fp32 as it came", median_of(best["faster"]), LEAST_RATIO, "at least")]
        ),
    ]


def main() -> None:
    """Make, race, compare, write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=256)
    options = parser.parse_args()
    where = conditions(options.rounds)
    half = options.images // 2
    held_out, labels = patterns(half, seed=2)
    with tempfile.TemporaryDirectory() as directory:
        artifacts, refused = make_all(Path(directory), *patterns(half, seed=1))
        contenders = [Contender(one, open_artifact(one), [], []) for one in artifacts]
        stolen = race(contenders, [{"x": image[None]} for image in held_out], options.rounds)
        wanted = answers(contenders[0].session, held_out)
        found = [
            {**timings(one, contenders[0]), **agreement(wanted, answers(one.session, held_out))} for one in contenders
        ]
    shares = [100 * share for share in stolen if share is not None]
    lines = [
        *heading(
            "Artifacts of an image model",
            where,
            f"The original is right for {(wanted.argmax(axis=1) == labels).mean():.0%} of {half} other images.",
            f"Processor time that the hypervisor gave to others: {spread(shares, 1)} %.",
        ),
        *report(found, refused, len(held_out)),
    ]
    keep("image_models", lines, {"conditions": where, "artifacts": found, "stolen": stolen})


if __name__ == "__main__":
    main()
