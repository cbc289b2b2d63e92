import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    fbeta_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    recall_score,
)

from modeldyno.quality.confusion import Counts, class_metrics, membership, resample_counts


@given(st.integers(2, 5).flatmap(lambda size: st.lists(st.integers(0, 6), min_size=size**2, max_size=size**2)))
def test_metrics_from_counts_are_those_of_scikit_learn(cells: list[int]) -> None:
    size = int(len(cells) ** 0.5)
    table = np.array(cells, np.float64).reshape(size, size)
    if table.sum() == 0:
        return
    truth, given_answers = (
        np.repeat(index, table.astype(int).ravel()) for index in (np.arange(size**2) // size, np.arange(size**2) % size)
    )
    is_binary = size == 2
    counts = Counts(np.diag(table)[None], table.sum(axis=1)[None], table.sum(axis=0)[None])
    found = class_metrics(counts, binary=is_binary, betas=(1, 0.5, 2))
    expected = {
        "accuracy": accuracy_score(truth, given_answers),
        "balanced_accuracy": recall_score(truth, given_answers, average="macro", labels=np.unique(truth)),
    }
    labels = sorted({*truth.tolist(), *given_answers.tolist()})
    if len(labels) > 1:
        expected["mcc"] = matthews_corrcoef(truth, given_answers)
    for average in ("macro", "micro", "weighted", *(("binary",) if is_binary and labels == [0, 1] else ())):
        scores = precision_recall_fscore_support(truth, given_answers, average=average, zero_division=0)
        for beta in (0.5, 2):
            expected[f"f{beta:g}_{average}"] = fbeta_score(
                truth, given_answers, beta=beta, average=average, zero_division=0
            )
        expected |= {
            f"{name}_{average}": score for name, score in zip(("precision", "recall", "f1"), scores, strict=False)
        }
    assert {name: found[name][0] for name in expected} == pytest.approx(expected)


def test_resampled_tables_have_the_rows_and_the_mean_of_the_table() -> None:
    truth, answers = np.array([0, 0, 1]), np.array([0, 1, 1])
    everywhere = np.ones(3, np.bool_)
    tables = [membership(truth, truth == answers, 2), membership(truth, everywhere, 2)]
    right, truths = resample_counts(np.array([50.0, 10.0, 40.0]), 100, np.random.default_rng(1), tables)
    assert (truths.sum(axis=1) == 100).all()
    assert right.mean(axis=0) == pytest.approx([50, 40], rel=0.02)
    assert right[:, 0].std() == pytest.approx(5, rel=0.1)
