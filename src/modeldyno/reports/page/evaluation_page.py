"""The page of an evaluation."""

from functools import partial

from markupsafe import Markup

from modeldyno.records.evaluation import Drawings, Evaluation
from modeldyno.reports.evaluating import (
    RECHECK_WORDS,
    agreement_rows,
    answers_text,
    average_rows,
    evaluation_headline,
    group_rows,
    left_out,
    metric_rows,
    omitted_texts,
)
from modeldyno.reports.page.confusion_matrix import confusion_chart
from modeldyno.reports.page.quality_charts import PRECISION_RECALL, ROC, calibration_chart, curves_chart, values_chart
from modeldyno.reports.page.robustness import robustness_chart
from modeldyno.reports.page.screens import HALF, WHOLE, column_on_screens, on_screens
from modeldyno.reports.page.template import render
from modeldyno.reports.robustness import augmentation_texts, main_metric


def evaluation_page(evaluation: Evaluation) -> str:
    """The report of `dyno evaluate`."""
    quality, change = evaluation.quality, evaluation.change
    classes, slices = (quality.classes, quality.slices) if quality is not None else ((), ())
    return render(
        "evaluation.html.jinja",
        evaluation=evaluation,
        headline=evaluation_headline(evaluation),
        recheck_words=RECHECK_WORDS,
        metrics=metric_rows(evaluation),
        averages=average_rows(quality) if quality is not None else [],
        answers=answers_text(evaluation),
        omitted=omitted_texts(quality) if quality is not None else [],
        agreement=agreement_rows(change) if change is not None else [],
        classes=group_rows(quality, classes, "class") if quality is not None else [],
        classes_left_out=left_out(classes),
        slices=group_rows(quality, slices, "slice") if quality is not None else [],
        slices_left_out=left_out(slices),
        charts=_quality_charts(evaluation.drawings or Drawings()),
        robustness=_robustness_charts(evaluation),
        augmentation=augmentation_texts(evaluation.augmentation),
    )


def _robustness_charts(evaluation: Evaluation) -> list[tuple[str, Markup]]:
    """For each kind of change its name and its curve."""
    quality, robustness = evaluation.quality, evaluation.robustness
    metric = main_metric(quality) if quality is not None else None
    if quality is None or robustness is None or metric is None:
        return []
    unchanged = quality.metrics[metric]
    return [
        (curve.kind, on_screens(partial(robustness_chart, curve, metric, unchanged), HALF))
        for curve in robustness.curves
    ]


def _quality_charts(drawn: Drawings) -> dict[str, Markup]:
    return {
        "confusion": column_on_screens(partial(confusion_chart, drawn.confusion)),
        "roc": on_screens(partial(curves_chart, drawn.roc, ROC), HALF),
        "precision_recall": on_screens(partial(curves_chart, drawn.precision_recall, PRECISION_RECALL), HALF),
        "calibration": on_screens(partial(calibration_chart, drawn.calibration), HALF),
        "scatter": on_screens(partial(values_chart, drawn.values), WHOLE),
    }
