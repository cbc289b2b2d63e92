from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier

from modeldyno.errors import InputError
from modeldyno.models.scikit.estimator import load_scikit, save_skops
from modeldyno.models.scikit.trees import check_trees
from modeldyno.testing import models as samples

PATH = Path("forest.skops")


def fitted(estimator: Any) -> Any:
    features, labels = samples.digits()
    return estimator.fit(features[:300], labels[:300])


def damage_tree(tree: Any, column: str, value: int) -> None:
    """Overwrite one index of the first node, as a crafted file would."""
    state = tree.__getstate__()
    state["nodes"][column][0] = value
    tree.__setstate__(state)


@pytest.mark.parametrize(
    "estimator",
    (
        DecisionTreeClassifier(max_depth=3),
        GradientBoostingClassifier(n_estimators=2),
        HistGradientBoostingClassifier(max_iter=2),
        HistGradientBoostingClassifier(max_iter=2, categorical_features=[20, 21]),
        VotingClassifier([("wide", make_pipeline(PolynomialFeatures(1), DecisionTreeClassifier(max_depth=2)))]),
    ),
    ids=lambda estimator: type(estimator).__name__,
)
def test_honest_trees_pass(estimator: Any) -> None:
    check_trees(fitted(estimator), PATH)


def test_an_honest_forest_passes() -> None:
    check_trees(samples.digits_forest(), PATH)


@pytest.mark.parametrize(
    ("column", "value"),
    (("left_child", 10**6), ("right_child", 10**6), ("left_child", 0), ("right_child", -7), ("feature", 64)),
)
def test_an_index_out_of_bounds_is_found(column: str, value: int) -> None:
    estimator = fitted(DecisionTreeClassifier(max_depth=3))
    damage_tree(estimator.tree_, column, value)
    with pytest.raises(InputError, match="cannot be walked"):
        check_trees(estimator, PATH)


@pytest.mark.parametrize(("column", "value"), (("left", 10**6), ("right", 0), ("feature_idx", 900)))
def test_an_index_out_of_bounds_is_found_in_histogram_trees(column: str, value: int) -> None:
    estimator = fitted(HistGradientBoostingClassifier(max_iter=2))
    estimator._predictors[1][3].nodes[column][0] = value
    with pytest.raises(InputError, match="decision tree"):
        check_trees(estimator, PATH)


def test_a_crafted_file_is_found_before_it_can_crash_the_process(tmp_path: Path) -> None:
    estimator = fitted(DecisionTreeClassifier(max_depth=3))
    damage_tree(estimator.tree_, "feature", 10**6)
    save_skops(estimator, tmp_path / "crafted.skops")
    with pytest.raises(InputError, match="cannot be walked"):
        load_scikit(tmp_path / "crafted.skops", trust=False)


def test_a_forest_that_checks_fewer_features_than_its_trees_read_is_found() -> None:
    forest = fitted(DecisionTreeClassifier(max_depth=3))
    forest.n_features_in_ = 2
    with pytest.raises(InputError, match="of 2"):
        check_trees(forest, PATH)


def test_a_category_outside_its_table_is_found() -> None:
    estimator = fitted(HistGradientBoostingClassifier(max_iter=2, categorical_features=[20, 21, 36, 42]))
    predictor = next(tree for row in estimator._predictors for tree in row if (tree.nodes["is_categorical"] == 1).any())
    predictor.nodes["bitset_idx"][np.flatnonzero(predictor.nodes["is_categorical"])[0]] = 10**6
    with pytest.raises(InputError, match="cannot be walked"):
        check_trees(estimator, PATH)
