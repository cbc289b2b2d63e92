"""Answers averaged over each row and changed copies of it, where quality is wanted more than speed."""

from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from modeldyno.api.artifacts.opening import ORIGINAL, open_artifact
from modeldyno.api.artifacts.recipe import LIMITS, ONNX_FP32, Recipe, Situation
from modeldyno.augmentation.perturbing import is_changed
from modeldyno.compression.onnx_products import made_onnx
from modeldyno.data.perturbed import spreads_of
from modeldyno.models.onnx.averaging import AveragingTask, Scale, average_copies, recipe_of
from modeldyno.quality.answers import answers_from, pick_score_matrix
from modeldyno.records.artifact import Artifact
from modeldyno.records.robustness import Perturbation, PerturbationKind
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.search.averages import AVERAGED
from modeldyno.seeds import DEFAULT_SEED

_ROWS_LOOKED_AT = 256


def _concerns(kind: PerturbationKind, situation: Situation, parent: Artifact) -> bool:
    """In a search only where the model as it came is not good enough: copies cost what they cost."""
    is_plain = parent.format == "onnx" and parent.precision in ("fp32", "fp64", "mixed")
    is_wanted = situation.is_short_of_quality or bool(situation.asked)
    suits = any(is_changed(kind, spec) and _is_usual(kind, spec, situation) for spec in parent.signature.inputs)
    return is_plain and is_wanted and suits and parent.signature.has_batch_dimension


def _is_usual(kind: PerturbationKind, spec: TensorSpec, situation: Situation) -> bool:
    """Numbers that are no images are changed by noise, and images by what happens to images; or as asked."""
    is_table = len(spec.shape) == 2
    return bool(situation.asked) or is_table == (kind == "noise")


def _make(change: Perturbation, situation: Situation, parent: Artifact, place: Path) -> Artifact:
    destination = place.with_suffix(".onnx")
    spreads = spreads_of(situation.dataset, parent.signature)
    task = AveragingTask(
        source=parent.path,
        destination=str(destination),
        signature=parent.signature,
        scores=_scores_behind_labels(situation, parent),
        classes=situation.model.classes,
        change=change,
        scales={
            name: Scale(std=tuple(one.std.reshape(-1).tolist()), low=one.low, high=one.high)
            for name, one in spreads.items()
        },
        seed=DEFAULT_SEED,
    )
    made = average_copies(task, limits=LIMITS)
    return made_onnx(
        parent, destination, name=place.name, recipe=recipe_of(change, made.joined), precision=parent.precision
    )


def _scores_behind_labels(situation: Situation, parent: Artifact) -> str | None:
    """The output whose highest score is the label in every row that is looked at.

    None where there is none: a threshold may have been moved, or labels come from votes and scores from elsewhere.
    """
    signature, classes, dataset = parent.signature, situation.model.classes, situation.dataset
    floats = tuple(spec for spec in signature.outputs if spec.datatype in ("FP16", "FP32", "FP64"))
    rows = dataset.inputs(0, min(_ROWS_LOOKED_AT, dataset.rows))
    with closing(open_artifact(parent, trust=situation.trust)) as session:
        outputs = session.run(rows)
    scores = pick_score_matrix(outputs, signature)
    if scores is None or len(floats) == len(signature.outputs) or situation.model.task != "classification":
        return None
    told = answers_from(outputs, signature, "classification", classes)
    highest = answers_from(outputs, Signature(inputs=signature.inputs, outputs=floats), "classification", classes)
    return scores[0] if np.array_equal(told, highest) else None


def _recipe(kind: PerturbationKind, severity: float, does: str) -> Recipe:
    rows = "numbers" if kind == "noise" else "images"
    return Recipe(
        name=f"{AVERAGED}{kind}",
        stage="compress",
        parents=(ONNX_FP32, ORIGINAL),
        concerns=partial(_concerns, kind),
        make=partial(_make, Perturbation(kind=kind, severities=(severity,))),
        does=does,
        needs=f"a model in ONNX or converted to it, in single precision, with batches of {rows}",
    )


AVERAGING_RECIPES: tuple[Recipe, ...] = (
    _recipe("mirror", 1, "the mean of the answers to an image and its mirror image: twice the work"),
    _recipe("shift", 1, "the same of an image and four that are moved by a pixel: five times the work"),
    _recipe("brightness", 0.1, "the same of an image, a lighter and a darker one: three times the work"),
    _recipe("noise", 0.1, "the same of a row and four with a little noise: five times the work"),
)
"""In the order in which they are tried; in a search where an absolute limit on quality is not clearly met."""
