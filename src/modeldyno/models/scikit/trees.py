"""Decision trees from a file, tested before anything walks them.

scikit-learn follows the child and feature indices of a tree without looking whether they are in bounds, so a crafted
or damaged file crashes the process at the first prediction (skops-dev/skops#535, scikit-learn/scikit-learn#34558).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError


def check_trees(estimator: object, path: Path) -> None:
    """Make sure that every tree inside `estimator` can be walked: indices in bounds, children after their parents.

    Raises:
        InputError: when one cannot; the file is damaged or was made to do harm.
    """
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree

    for part in _parts(estimator):
        if isinstance(part, Tree):
            fault = _fault_of_tree(part)
        elif isinstance(part, TreePredictor):
            fault = _fault_of_predictor(part)
        else:
            continue
        if fault:
            raise InputError(
                f"{path} holds a decision tree that cannot be walked",
                why=fault,
                hint="the file is damaged, or was made to crash its reader: get a fresh copy",
            )
    _check_feature_counts(estimator, path)


def _parts(root: object) -> Iterator[Any]:
    """Every object reachable through attributes, lists, tuples, dicts and object arrays, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, (str, bytes, int, float, type(None))):
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)
        elif isinstance(part, np.ndarray):
            waiting.extend(part.ravel().tolist() if part.dtype == object else ())
        else:
            waiting.extend(getattr(part, "__dict__", {}).values())


def _fault_of_tree(tree: Any) -> str:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    leaves = left == -1
    return _fault(left[~leaves], right[~leaves], feature[~leaves], np.flatnonzero(~leaves), len(left), tree.n_features)


def _fault_of_predictor(predictor: Any) -> str:
    nodes = predictor.nodes
    inner = ~nodes["is_leaf"].astype(bool)
    if nodes["is_categorical"][inner].any() and not _bitsets_fit(predictor, inner):
        return "a categorical split points outside its table of categories"
    # The number of features is not in the predictor; `_check_feature_counts` compares with the estimator's.
    return _fault(
        nodes["left"][inner].astype(np.int64),
        nodes["right"][inner].astype(np.int64),
        nodes["feature_idx"][inner].astype(np.int64),
        np.flatnonzero(inner),
        len(nodes),
        None,
    )


def _bitsets_fit(predictor: Any, inner: NDArray[np.bool_]) -> bool:
    categorical = predictor.nodes["is_categorical"].astype(bool) & inner
    rows = predictor.nodes["bitset_idx"][categorical].astype(np.int64)
    sets = predictor.raw_left_cat_bitsets
    return bool(sets.ndim == 2 and sets.shape[1] == 8 and (rows < len(sets)).all())


def _fault(
    left: NDArray[np.integer[Any]],
    right: NDArray[np.integer[Any]],
    feature: NDArray[np.integer[Any]],
    own: NDArray[np.intp],
    nodes: int,
    features: int | None,
) -> str:
    """What is wrong with the inner nodes of a tree, or nothing; children follow parents, so no walk can loop."""
    if nodes == 0:
        return "a tree without nodes"
    for children in (left, right):
        if ((children <= own) | (children >= nodes)).any():
            return f"a child index is outside the {nodes} nodes, or does not follow its parent"
    if (feature < 0).any() or (features is not None and (feature >= features).any()):
        return f"a split asks for a feature outside the {features} there are"
    return ""


def _check_feature_counts(estimator: object, path: Path) -> None:
    """Trees must not ask for more features than the estimator around them checks its input for."""
    from sklearn.ensemble._forest import BaseForest
    from sklearn.ensemble._gb import BaseGradientBoosting
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
    from sklearn.tree import BaseDecisionTree

    # Only these hand their input to the bare trees; any other ensemble goes through its members' own checks.
    walkers = (BaseDecisionTree, BaseForest, BaseGradientBoosting, BaseHistGradientBoosting)
    for owner in _parts(estimator):
        if not isinstance(owner, walkers):
            continue
        needed = max(_features_read(part) for part in _parts(owner))
        features = getattr(owner, "n_features_in_", 0)  # absent in the unfitted pattern that a forest keeps
        if needed > features:
            raise InputError(
                f"{path} holds a decision tree that reads feature {needed} of {features}",
                why="scikit-learn would read past the end of its input",
                hint="the file is damaged, or was made to crash its reader: get a fresh copy",
            )


def _features_read(part: Any) -> int:
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree

    if isinstance(part, Tree):
        return int(part.feature.max(initial=-1)) + 1
    if isinstance(part, TreePredictor):
        inner = part.nodes["is_leaf"] == 0
        return int(part.nodes["feature_idx"][inner].astype(np.int64).max(initial=-1)) + 1
    return 0
