import re

from modeldyno.records.base import Estimate
from modeldyno.records.robustness import RobustnessCurve, RobustnessPoint
from modeldyno.reports.page.robustness import robustness_chart

UNCHANGED = Estimate(value=0.97, low=0.95, high=0.98)


def point(severity: float, value: float) -> RobustnessPoint:
    metrics = {"accuracy": Estimate(value=value, low=value - 0.02, high=value + 0.02)}
    return RobustnessPoint(severity=severity, rows=100, metrics=metrics, drops={}, flip_rate=None)


CURVE = RobustnessCurve(kind="noise", meaning="standard <deviations>", points=(point(0.1, 0.9), point(0.4, 0.5)))


def draw(curve: RobustnessCurve = CURVE, metric: str = "accuracy") -> str:
    return str(robustness_chart(curve, metric, UNCHANGED, width=510, height=340, class_="chart"))


def test_the_curve_begins_with_the_unchanged_rows_and_falls() -> None:
    marks = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', draw())
    across, down = [float(x) for x, _ in marks], [float(y) for _, y in marks]
    assert 3 == len(marks)
    assert sorted(across) == across
    assert sorted(down) == down
    assert 4 * (across[1] - across[0]) == across[2] - across[0]


def test_every_mark_has_its_interval_and_says_its_value() -> None:
    drawing = draw()
    assert 3 == drawing.count('class="whisker"')
    assert "0.4: 50.0 %" in drawing
    assert "standard &lt;deviations&gt;" in drawing


def test_without_the_metric_there_is_no_drawing() -> None:
    assert "" == draw(metric="rmse")
