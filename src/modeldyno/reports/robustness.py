"""What is said of changed rows, in words and rows of text."""

from modeldyno.records.base import Estimate
from modeldyno.records.quality import Quality, QualityChange
from modeldyno.records.robustness import RobustnessCurve, RobustnessPoint, TestTimeAugmentation
from modeldyno.reports.estimates import MISSING, fraction_text, metric_name, metric_text

_MAIN = ("accuracy", "balanced_accuracy", "f1_macro", "rmse", "mae", "r2")
_MOST = 2


def main_metrics(quality: Quality) -> list[str]:
    """The one or two metrics that curves are drawn and told of."""
    return [name for name in _MAIN if name in quality.metrics][:_MOST] or list(quality.metrics)[:_MOST]


def main_metric(quality: Quality) -> str | None:
    """The first of them; None where nothing could be measured."""
    return next(iter(main_metrics(quality)), None)


def curve_rows(curve: RobustnessCurve, quality: Quality) -> list[tuple[str, ...]]:
    """A heading, the unchanged rows, and a row for each severity."""
    shown = main_metrics(quality)
    heading, unchanged = ["severity"], ["none"]
    for name in shown:
        heading += [metric_name(name), "worse by"]
        unchanged += [metric_text(name, quality.metrics[name]), ""]
    points = [_point(point, shown) for point in curve.points]
    return [(*heading, "answers changed"), (*unchanged, ""), *points]


def _point(point: RobustnessPoint, shown: list[str]) -> tuple[str, ...]:
    cells = [f"{point.severity:g}"]
    for name in shown:
        cells += [_text(name, point.metrics.get(name)), _text(name, point.drops.get(name))]
    return (*cells, MISSING if point.flip_rate is None else fraction_text(point.flip_rate))


def _text(name: str, estimate: Estimate | None) -> str:
    return MISSING if estimate is None else metric_text(name, estimate)


def augmentation_texts(augmentation: TestTimeAugmentation | None) -> list[str]:
    """What copies cost and change, and whether their gain can be told from chance."""
    if augmentation is None:
        return []
    what, cost = augmentation.perturbation, augmentation.cost
    copies = "1 copy" if augmentation.copies == 1 else f"{augmentation.copies} copies"
    times = f"{cost.value:.1f} times the work"
    if cost.low is not None and cost.high is not None:
        times += f" ({cost.low:.1f} to {cost.high:.1f} in blocks of rows)"
    lines = [
        f"each row and {copies} with {what.kind} {what.severities[0]:g}: {times}",
        f"{fraction_text(augmentation.changed)} of the answers are others",
    ]
    name = next((one for one in _MAIN if one in augmentation.gains), None)
    if name is not None:
        lines.append(_gain(name, augmentation.metrics[name], augmentation.gains[name]))
    return lines


def gain_texts(quality: Quality | None, change: QualityChange | None) -> list[str]:
    """What a model with copies gains against that without, of the main metric and of calibration."""
    if quality is None or change is None:
        return []
    main = next((one for one in _MAIN if one in change.drops and one in quality.metrics), None)
    shown = [main] if main else []
    if "calibration_error" in change.drops and "calibration_error" in quality.metrics:
        shown.append("calibration_error")
    return [_gain(one, quality.metrics[one], change.drops[one].negated) for one in shown]


def _gain(name: str, measured: Estimate, gain: Estimate) -> str:
    told = f"{metric_name(name)} {metric_text(name, measured)}"
    by = f"worse by {metric_text(name, gain.negated)}" if gain.value < 0 else f"better by {metric_text(name, gain)}"
    return f"{told}, {by}: {_verdict(gain)}"


def _verdict(gain: Estimate) -> str:
    if gain.low is None or gain.high is None:
        return "too few rows to tell"
    if gain.low > 0:
        return "a gain"
    return "a loss" if gain.high < 0 else "cannot be told from chance"
