import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from modeldyno.errors import DataError
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.ranking import note_unanswerable, rank_queries
from modeldyno.quality.rows import Answers, Rows

CUTS = (1, 5, 10)


def documents(queries: int = 60, each: int = 20, *, noise: float = 1.0, seed: int = 1) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(2)
    query = np.repeat([f"q{number}" for number in range(queries)], each)
    relevance = random.integers(0, 4, queries * each) * (random.random(queries * each) < 0.3)
    relevance[::each] = 3
    scores = relevance + noise * np.random.default_rng(seed).normal(size=len(query))
    return scores, relevance.astype(np.float64), query


def test_metrics_of_each_query_are_those_of_scikit_learn() -> None:
    scores, relevance, query = documents()
    found = rank_queries(scores, relevance, query, CUTS)
    for place, name in enumerate(found.queries.tolist()):
        inside = query == name
        truth, given = relevance[inside][None], scores[inside][None]
        assert ndcg_score(truth, given) == pytest.approx(found.values["ndcg"][place])
        assert ndcg_score(truth, given, k=5) == pytest.approx(found.values["ndcg@5"][place])
        expected = label_ranking_average_precision_score(truth > 0, given)
        assert expected == pytest.approx(found.values["map"][place])


def test_ranks_and_what_is_among_the_first_are_counted() -> None:
    found = rank_queries(
        np.array([3.0, 2.0, 1.0, 9.0, 8.0]), np.array([0.0, 1.0, 1.0, 0.0, 0.0]), np.array([1, 1, 1, 2, 2]), (1, 2)
    )
    assert ([1], 1) == (found.queries.tolist(), found.left_out)
    values = {name: one.tolist() for name, one in found.values.items()}
    assert ([0.5], [0.0], [0.5], [0.5], [1.0]) == (
        values["mrr"], values["hit_rate@1"], values["recall@2"], values["precision@2"], values["hit_rate@2"],
    )  # fmt: skip


def test_equal_scores_are_not_to_the_credit_of_the_model() -> None:
    found = rank_queries(np.zeros(4), np.array([0.0, 0.0, 1.0, 0.0]), np.zeros(4), (1,))
    assert 0.25 == found.values["mrr"][0]


def test_the_order_of_the_rows_does_not_matter() -> None:
    scores, relevance, query = documents()
    mixed = np.random.default_rng(4).permutation(len(scores))
    one = rank_queries(scores, relevance, query, CUTS)
    other = rank_queries(scores[mixed], relevance[mixed], query[mixed], CUTS)
    for name, values in one.values.items():
        np.testing.assert_allclose(values, other.values[name], err_msg=name)


def test_a_ranking_has_means_over_queries_and_their_change() -> None:
    good, relevance, query = documents(noise=0.5)
    bad, _, _ = documents(noise=3.0, seed=3)
    rows = Rows(relevance, queries=query)
    quality = assess_rows(Answers(good), rows, "ranking", seed=1)
    assert (quality.metrics["mrr"].low or 0) < quality.metrics["mrr"].value <= 1
    change = compare_rows(Answers(good), Answers(bad), rows, "ranking", seed=1)
    assert (change.drops["ndcg@10"].low or 0) > 0
    assert change.flips / 60 == pytest.approx(change.flip_rate.value)


def test_all_queries_found_at_once_do_not_promise_that_all_will_be() -> None:
    relevance = np.tile([1.0, 0.0], 30)
    found = assess_rows(Answers(relevance), Rows(relevance, queries=np.repeat(np.arange(30), 2)), "ranking", seed=1)
    assert (1.0, 1.0) == (found.metrics["mrr"].value, found.metrics["mrr"].high)
    assert (found.metrics["mrr"].low or 1) < 0.9


def test_queries_without_anything_to_find_are_noted() -> None:
    relevance, query = np.array([1.0, 0.0, 0.0, 0.0]), np.array([1, 1, 2, 2])
    assert "1 of 2 queries have no relevant row and are left out" == note_unanswerable(relevance, query)
    assert note_unanswerable(relevance[:2], query[:2]) is None


@pytest.mark.parametrize(
    ("labels", "queries", "words"),
    (
        ([0.0, 0.0], [1, 1], "no query has a relevant row"),
        ([-1.0, 1.0], [1, 1], "is negative"),
        ([1.0, 1.0], None, "which rows belong together"),
    ),
)
def test_what_is_no_ranking_is_told(labels: list[float], queries: list[int] | None, words: str) -> None:
    rows = Rows(np.array(labels), queries=None if queries is None else np.array(queries))
    with pytest.raises(DataError, match=words):
        assess_rows(Answers(np.array([1.0, 2.0])), rows, "ranking", seed=1)
