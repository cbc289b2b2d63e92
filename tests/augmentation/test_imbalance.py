import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.augmentation.imbalance import unbalanced_rows


@pytest.mark.parametrize("ratio", (1, 4, 20))
def test_the_most_frequent_class_has_so_many_rows_for_one_of_the_rarest(ratio: float) -> None:
    labels = np.repeat(np.arange(5), 200)
    counts = np.bincount(labels[unbalanced_rows(labels, ratio, np.random.default_rng(0))])
    assert counts.max() / counts.min() == pytest.approx(ratio, rel=0.1)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.floats(1, 100))
def test_rows_are_in_order_once_each_and_every_class_stays(labels: list[int], ratio: float) -> None:
    rows = unbalanced_rows(np.array(labels), ratio, np.random.default_rng(1))
    assert sorted(set(rows.tolist())) == rows.tolist()
    assert set(labels) == set(np.array(labels)[rows].tolist())
