"""An evaluation in words and rows that the terminal and the page share."""

from collections.abc import Sequence

from modeldyno.records.base import Estimate
from modeldyno.records.evaluation import Evaluation, Recheck
from modeldyno.records.metrics import AVERAGES
from modeldyno.records.quality import GroupQuality, Quality, QualityChange
from modeldyno.records.verdict import Answer
from modeldyno.reports.estimates import MISSING, fraction_text, metric_name, metric_text, plural
from modeldyno.reports.headline import Headline, judged_headline
from modeldyno.units import format_number

MOST_GROUPS = 30
"""Classes or slices in a table; of more the worst are shown."""
_ROUNDING = 1e-5
_DIFFERENCES = {
    "ranking": "queries have another row in the first place",
    "embedding": "rows have another nearest neighbour",
}
_GROUP_METRICS = {
    "classification": ("accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc"),
    "regression": ("mae", "rmse", "r2"),
    "ranking": ("mrr", "ndcg", "map"),
    "embedding": ("mrr", "hit_rate@1", "hit_rate@10"),
    "sequence": ("exact_match", "edit_similarity", "token_error_rate"),
}
RECHECK_WORDS: dict[Answer, str] = {
    "pass": "what was proven holds here",
    "fail": "what was proven does not hold here",
    "cannot_tell": "whether what was proven holds here cannot be told",
}


def evaluation_headline(evaluation: Evaluation) -> Headline:
    """What a reader should know first: a bundle that does not hold, then the objectives, then the headline metric."""
    recheck = evaluation.recheck
    if recheck is not None and recheck.verdict == "fail":
        worst = next(one for one in recheck.claims if one.verdict == "fail")
        title = "What was proven does not hold on this machine"
        return Headline(answer="fail", title=title, detail=f"{worst.what}: {worst.evidence}.")
    judged = judged_headline(evaluation.verdicts)
    if evaluation.verdicts:
        return judged
    if evaluation.quality is not None:
        metric = main_metrics(evaluation)[0]
        value = metric_text(metric, evaluation.quality.metrics[metric])
        detail = f"On {evaluation.quality.rows:,} rows, with 95 % intervals; no objective was given."
        return Headline(answer="measured", title=f"{metric_name(metric)} {value.partition(' [')[0]}", detail=detail)
    if recheck is not None and recheck.verdict == "pass":
        return Headline(answer="pass", title="What was proven holds here", detail=_first_evidence(recheck))
    if recheck is not None:
        return Headline(answer="cannot_tell", title="Nothing could be checked", detail=_first_evidence(recheck))
    return Headline(answer="measured", title="Compared without labels", detail=f"{answers_text(evaluation)}.")


def _first_evidence(recheck: Recheck) -> str:
    return f"{recheck.claims[0].evidence}." if recheck.claims else "The bundle holds no sample requests."


def main_metrics(evaluation: Evaluation) -> list[str]:
    """What is shown first: all but the averages, of which one is, and whatever an objective names."""
    quality = evaluation.quality
    if quality is None:
        return []
    average = "binary" if "f1_binary" in quality.metrics else "macro"
    wanted = {f"{score}_{average}" for score in ("precision", "recall", "f1")}
    wanted |= {f"{area}_{average}" for area in ("roc_auc", "pr_auc")} | {one.metric for one in evaluation.objectives}
    return [name for name in quality.metrics if name in wanted or not is_average(name)]


def is_average(metric: str) -> bool:
    """Whether it is one of several averages over classes."""
    return metric.rpartition("_")[2] in AVERAGES


def average_rows(quality: Quality) -> list[tuple[str, ...]]:
    """Every score in every average over classes, under a heading; nothing where there are none."""
    names = [name for name in quality.metrics if is_average(name)]
    averages = [one for one in AVERAGES if any(name.endswith(f"_{one}") for name in names)]
    scores = list(dict.fromkeys(name.rpartition("_")[0] for name in names))
    rows = [
        (metric_name(score), *(metric_text(score, quality.metrics.get(f"{score}_{one}")) for one in averages))
        for score in scores
    ]
    return [("average", *averages), *rows] if rows else []


def metric_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Each of the main metrics, and by how much it is worse than the reference's."""
    quality, change = evaluation.quality, evaluation.change
    if quality is None:
        return []
    heading = ("", "measured") if change is None else ("", "measured", "worse by", "which is")
    rows = []
    for metric in main_metrics(evaluation):
        drop = () if change is None else _drop_cells(metric, change)
        rows.append((metric_name(metric), metric_text(metric, quality.metrics[metric]), *drop))
    return [heading, *rows]


def _drop_cells(metric: str, change: QualityChange) -> tuple[str, str]:
    drop = change.drops.get(metric)
    if drop is None:
        return MISSING, ""
    return drop_text(metric, drop), change_word(drop)


def drop_text(metric: str, drop: Estimate) -> str:
    """By how much a metric is worse; nothing at all where only its rounding differs."""
    return metric_text(metric, Estimate(value=0.0) if _is_rounding(drop) else drop)


def _is_rounding(drop: Estimate) -> bool:
    """Whether it is no more than another order of summation in single precision makes."""
    return max(abs(end) for end in (drop.value, drop.low or 0.0, drop.high or 0.0)) < _ROUNDING and drop.low is not None


def change_word(drop: Estimate) -> str:
    """What an interval of a loss says: worse, better, or neither for sure."""
    if drop.low is None or drop.high is None:
        return "cannot tell"
    if _is_rounding(drop):
        return "no change seen"
    if drop.low > 0:
        return "worse"
    return "better" if drop.high < 0 else "cannot tell" if drop.value else "no change seen"


def group_rows(
    quality: Quality, groups: Sequence[GroupQuality], what: str, *, most: int | None = None
) -> list[tuple[str, ...]]:
    """Each class or slice with the metrics that matter to the task (`most` of them), the worst where there are many."""
    names = [
        name
        for name in _GROUP_METRICS.get(quality.task, ())
        if any(_group_metric(one, name) is not None for one in groups)
    ][:most]
    if not groups or not names:
        return []
    shown = sorted(groups, key=lambda one: _badness(one, names))[:MOST_GROUPS] if len(groups) > MOST_GROUPS else groups
    rows = [
        (one.name, f"{one.rows:,}", *(metric_text(name, _group_metric(one, name)) for name in names)) for one in shown
    ]
    return [(what, "rows", *map(metric_name, names)), *rows]


def _group_metric(group: GroupQuality, name: str) -> Estimate | None:
    """The metric itself, or its usual average on a slice."""
    found = (group.metrics.get(one) for one in (name, f"{name}_binary", f"{name}_macro"))
    return next((one for one in found if one is not None), None)


def _badness(group: GroupQuality, names: Sequence[str]) -> float:
    found = _group_metric(group, "recall" if "recall" in names and "accuracy" not in group.metrics else names[0])
    if found is None:
        return float("inf")
    return -found.value if names[0] == "mae" else found.value


def left_out(groups: Sequence[GroupQuality]) -> str:
    """How many of how many are shown, where not all are."""
    return f"the worst {MOST_GROUPS} of {len(groups):,}" if len(groups) > MOST_GROUPS else ""


def omitted_texts(quality: Quality) -> list[str]:
    """Metrics that are not told, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for name, why in quality.omitted.items():
        by_reason.setdefault(why, []).append(metric_name(name))
    return [f"{', '.join(names)}: {why}" for why, names in by_reason.items()]


def answers_text(evaluation: Evaluation) -> str:
    """How many answers differ, and on how many rows only one of the two is right."""
    change = evaluation.change
    if change is None:
        return ""
    what = _DIFFERENCES.get(evaluation.quality.task if evaluation.quality is not None else "", "answers differ")
    if "neighbour_overlap" in change.agreement:
        what = _DIFFERENCES["embedding"]
    differ = f"{change.flips:,} of {change.rows:,} {what}: {fraction_text(change.flip_rate)}"
    if change.worse_rows is None or change.better_rows is None or change.mcnemar_p is None:
        return differ
    return (
        f"{differ}; only the reference is right on {plural(change.worse_rows, 'row')}, only this one on "
        f"{change.better_rows:,} (McNemar's exact p = {format_number(change.mcnemar_p)})"
    )


def agreement_rows(change: QualityChange) -> list[tuple[str, ...]]:
    """How alike two models' embeddings or sequences are."""
    return [(metric_name(name), metric_text(name, value)) for name, value in change.agreement.items()]
