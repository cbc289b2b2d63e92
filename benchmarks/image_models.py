"""What can be made of an image model: every artifact of a ResNet-18-like network against the model as it came.

    python benchmarks/image_models.py [--rounds 15] [--images 256]

The network is made on the spot, see `residual_net.py`. Artifacts are made by the recipes
of `dyno tune`, calibrated on half of the images, which the network was made with; agreement with the model as it came
is taken from the other half. Speed is that of one row a call, one thread, in process, see `contenders.py`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conditions import against_bars, conditions, heading, keep, median_of
from contenders import (
    Column,
    Described,
    best_of,
    contender_lines,
    make_contenders,
    race,
    stolen_line,
    timings,
)
from residual_net import Array, patterns, write_residual_net

from modeldyno.protocols import Session
from modeldyno.records.search import Refusal

LEAST_RATIO = 3.5


def agreement(wanted: Array, found: Array) -> dict[str, float]:
    """The share of images with the same class, and the error of the values over their size."""
    return {
        "same_class": float((wanted.argmax(axis=1) == found.argmax(axis=1)).mean()),
        "error": float(np.sqrt(np.mean((wanted - found) ** 2) / np.mean(wanted**2))),
    }


def answers(session: Session, images: Array) -> Array:
    """To each image alone."""
    return np.concatenate([np.asarray(session.run({"x": image[None]})["y"]) for image in images])


def report(found: Sequence[dict[str, Any]], refused: Sequence[Refusal], images: int) -> list[str]:
    """Tables and the bar."""
    best = best_of(found)
    same = Column(f"same class, of {images}", lambda one: f"{one['same_class']:.1%}")
    error = Column("error of the values", lambda one: f"{one['error']:.2%}")
    return [
        *contender_lines(found, refused, Described("row", "original", (same, error))),
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
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        images, classes = patterns(half, seed=1)
        path = write_residual_net(place / "residual.onnx", images, classes)
        np.savez(place / "images.npz", X=images)
        contenders, refused = make_contenders(path, place / "images.npz", place, task="classification")
        stolen = race(contenders, [{"x": image[None]} for image in held_out], options.rounds)
        wanted = answers(contenders[0].session, held_out)
        found = [
            {**timings(one, contenders[0]), **agreement(wanted, answers(one.session, held_out))} for one in contenders
        ]
    lines = [
        *heading(
            "Artifacts of an image model",
            where,
            f"The original is right for {(wanted.argmax(axis=1) == labels).mean():.0%} of {half} other images.",
            stolen_line(stolen),
        ),
        *report(found, refused, len(held_out)),
    ]
    keep("image_models", lines, {"conditions": where, "artifacts": found, "stolen": stolen})


if __name__ == "__main__":
    main()
