"""The metrics of quality: what they are called, which way is better, and what they are counted in."""

import re
from typing import Literal

from modeldyno.records.base import Record

AVERAGES = ("binary", "macro", "micro", "weighted")
"""Over classes; `binary` is the second of two classes alone."""
BETAS = (1.0, 0.5, 2.0)
"""Of F-beta, unless an objective asks for another."""
TOP_COUNTS = (3, 5)
"""Of top-k accuracy, unless an objective asks for another."""
CUT_OFFS = (1, 5, 10)
"""Places of a ranking that are looked at, unless an objective asks for others."""
Unit = Literal["fraction", "number"]


class Metric(Record, frozen=True, kw_only=True):
    """One metric of quality."""

    name: str
    unit: Unit = "fraction"
    higher_is_better: bool = True
    is_bounded: bool = True
    """Whether it is never above 1."""
    is_agreement: bool = False
    """Whether it compares two models, and needs no labels."""


_AVERAGED = tuple(f"{score}{average}" for score in ("precision", "recall", "f1") for average in
                  ("", *(f"_{name}" for name in AVERAGES)))  # fmt: skip
_SCORED = tuple(f"{score}{average}" for score in ("roc_auc", "pr_auc") for average in ("", "_macro", "_weighted"))
_PLAIN = (
    *(Metric(name=name) for name in ("accuracy", "balanced_accuracy", *_AVERAGED, *_SCORED)),
    Metric(name="mcc", unit="number"),
    Metric(name="log_loss", unit="number", higher_is_better=False, is_bounded=False),
    Metric(name="brier", unit="number", higher_is_better=False, is_bounded=False),
    Metric(name="calibration_error", higher_is_better=False),
    Metric(name="error_cost", unit="number", higher_is_better=False, is_bounded=False),
    *(Metric(name=name, unit="number", higher_is_better=False, is_bounded=False) for name in ("mae", "rmse")),
    Metric(name="mape", higher_is_better=False, is_bounded=False),
    *(Metric(name=name, unit="number") for name in ("r2", "explained_variance")),
    *(Metric(name=name) for name in ("mrr", "map", "ndcg", "exact_match", "edit_similarity")),
    Metric(name="token_error_rate", higher_is_better=False, is_bounded=False),
    Metric(name="flip_rate", higher_is_better=False, is_agreement=True),
    *(Metric(name=name, is_agreement=True) for name in ("cosine", "neighbour_overlap")),
    *(Metric(name=name, is_agreement=True) for name in ("exact_agreement", "edit_agreement")),
)
_BY_NAME = {one.name: one for one in _PLAIN}
_FAMILIES = (
    (re.compile(rf"f(?P<number>\d+(\.\d+)?)(_({'|'.join(AVERAGES)}))?"), Metric(name="f")),
    (re.compile(r"top(?P<number>[1-9]\d*)_accuracy"), Metric(name="top")),
    (re.compile(r"(ndcg|recall|precision|hit_rate)@(?P<number>[1-9]\d*)"), Metric(name="at")),
)
_EXAMPLES = ("f0.5_macro", "f2_macro", "top3_accuracy", "ndcg@10", "recall@10", "precision@10", "hit_rate@10")
METRIC_NAMES = (*_BY_NAME, *_EXAMPLES)
"""Every metric, and an example of each family."""


def metric_named(name: str) -> Metric | None:
    """The metric of that name: `f1_macro`, `f0.5_binary`, `top3_accuracy`, `recall@10`; None when there is none."""
    found = _BY_NAME.get(name)
    if found is not None:
        return found
    for pattern, kind in _FAMILIES:
        match = pattern.fullmatch(name)
        if match and float(match["number"]) > 0:
            return Metric(name=name, higher_is_better=kind.higher_is_better)
    return None


def change_name(metric: str) -> str | None:
    """What its change for the worse is called: `accuracy_drop`, `mae_rise`; None for an agreement or no metric."""
    found = metric_named(metric)
    if found is None or found.is_agreement:
        return None
    return f"{metric}_{'drop' if found.higher_is_better else 'rise'}"


def changed_metric(name: str) -> str | None:
    """The inverse of `change_name`: `accuracy` of `accuracy_drop`; None when the name is of no change."""
    metric = name.removesuffix("_drop").removesuffix("_rise")
    return metric if metric != name and change_name(metric) == name else None
