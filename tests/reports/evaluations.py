"""Evaluations of made answers, as the page and the terminal show them."""

from collections.abc import Callable

import numpy as np
from tests.reports import samples

from modeldyno.quality.advice import advise
from modeldyno.quality.asked import Asked, Costs
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.curves import drawings_of
from modeldyno.quality.judge import judge_quality
from modeldyno.quality.rows import Answers, Rows
from modeldyno.quality.scores import Scores
from modeldyno.records.artifact import Task
from modeldyno.records.evaluation import Claim, Evaluation, Recheck
from modeldyno.records.objective import parse_objectives

CLASSES = ("benign", "malignant")


def _answers(seed: int, *, noise: float) -> tuple[Answers, np.ndarray]:
    random = np.random.default_rng(1)
    truth = (random.random(400) < 0.12).astype(int)
    score = 2.5 * truth - 1 + noise * np.random.default_rng(seed).normal(size=400)
    positive = 1 / (1 + np.exp(-2 * score))
    values = np.column_stack([1 - positive, positive])
    return Answers(np.array(CLASSES)[values.argmax(axis=1)], Scores(values, is_probability=True)), truth


def _evaluation(
    answers: Answers,
    rows: Rows,
    task: Task,
    *,
    reference: Answers | None = None,
    slo: str = "",
    costs: Costs | None = None,
    recheck: Recheck | None = None,
) -> Evaluation:
    asked = Asked(costs=costs)
    quality = None if rows.labels is None else assess_rows(answers, rows, task, seed=1, asked=asked)
    change = None if reference is None else compare_rows(reference, answers, rows, task, seed=1, asked=asked)
    objectives = parse_objectives(slo) if slo else ()
    return Evaluation(
        tool_version="0.1.0",
        evaluated_at="2026-03-14T11:00:00+00:00",
        environment=samples.ENVIRONMENT,
        subject="out/tumours.bundle",
        data="tumours.csv: 400 rows, 30 features, labels y (2 classes)",
        quality=quality,
        reference=None if reference is None else "models/tumours.skops",
        change=change,
        objectives=objectives,
        verdicts=tuple(judge_quality(one, quality, change) for one in objectives),
        notes=("3 of 400 rows have a label that the model cannot answer ('<new>'); they count as wrong",),
        advice=() if quality is None else advise(quality, answers, rows, costs),
        drawings=None if quality is None else drawings_of(answers, rows, quality),
        recheck=recheck,
    )


def classifier(*, recheck: Recheck | None = None, slo: str = "recall[malignant]>=90%, roc_auc_drop<=5%") -> Evaluation:
    """Two uneven classes, slices, costs, a reference and objectives."""
    (answers, truth), (reference, _) = _answers(2, noise=0.8), _answers(3, noise=0.6)
    site = np.where(np.arange(400) % 3, "north", "<south>").astype(object)
    rows = Rows(np.array(CLASSES)[truth], "sha256:0", CLASSES, slices={"site": site})
    return _evaluation(
        answers, rows, "classification", reference=reference, slo=slo, costs=Costs(1.0, 10.0), recheck=recheck
    )


def broken_bundle() -> Evaluation:
    """A bundle that answers otherwise than where it was made."""
    claims = (
        Claim(what="sample requests", verdict="pass", evidence="4 of 4 sample requests have the expected outputs"),
        Claim(what="expected answers", verdict="fail", evidence="31 of 400 answers are others than where it was made"),
    )
    notes = ("this processor lacks avx512_vnni, other than the one it was made on: answers in int8 may differ",)
    return classifier(recheck=Recheck(verdict="fail", claims=claims, notes=notes), slo="")


def unlabelled_embeddings() -> Evaluation:
    """Two embedders, of whose rows no labels are known."""
    vectors = np.random.default_rng(1).normal(size=(80, 8))
    other = Answers(vectors + 0.1 * np.random.default_rng(2).normal(size=(80, 8)))
    return _evaluation(other, Rows(None), "embedding", reference=Answers(vectors), slo="cosine>=90%")


def regression() -> Evaluation:
    """Values, some far off."""
    truth = np.random.default_rng(1).lognormal(3, 1, 120)
    answers = truth + np.random.default_rng(2).normal(0, 3, 120)
    answers[5] += 90
    return _evaluation(Answers(answers), Rows(truth), "regression")


def labels_only() -> Evaluation:
    """A classifier without scores, of many classes and few rows."""
    truth = np.arange(90) % 45
    answers = np.where(np.arange(90) % 7, truth, 0)
    return _evaluation(Answers(answers), Rows(truth), "classification")


ALL: dict[str, Callable[[], Evaluation]] = {
    "classifier": classifier,
    "broken-bundle": broken_bundle,
    "embeddings": unlabelled_embeddings,
    "regression": regression,
    "labels-only": labels_only,
}
