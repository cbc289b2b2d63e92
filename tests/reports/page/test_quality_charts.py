import re

from markupsafe import Markup

from modeldyno.records.base import Estimate
from modeldyno.records.evaluation import Confusion, Curve, ReliabilityBin
from modeldyno.reports.page.confusion_matrix import confusion_chart
from modeldyno.reports.page.quality_charts import (
    PRECISION_RECALL,
    ROC,
    Names,
    calibration_chart,
    curves_chart,
    values_chart,
)

SIZE = {"width": 510, "height": 340}
CURVE = Curve(name="cat", area=Estimate(value=0.9, low=0.8, high=0.95), points=((0, 0), (0.1, 0.8), (1, 1)))


def curves(names: Names) -> str:
    return str(curves_chart((CURVE,), names, **SIZE, class_="chart"))


def diagonal(drawing: str) -> tuple[float, ...]:
    found = re.findall(r'<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)" class="chance"', drawing)
    assert len(found) == 1
    return tuple(map(float, found[0]))


def test_only_the_roc_curve_is_held_against_chance() -> None:
    left, bottom, right, top = diagonal(curves(ROC))
    assert (left, top) < (right, bottom)
    assert "chance" not in curves(PRECISION_RECALL)


def test_axes_and_area_are_named_as_the_kind_of_curve_names_them() -> None:
    assert all(word in curves(ROC) for word in ("false positive rate", "true positive rate", "cat: area 90.0 %"))
    assert all(word in curves(PRECISION_RECALL) for word in ("recall", "precision", "cat: average precision 90.0 %"))


def test_answers_that_are_their_labels_are_on_the_diagonal() -> None:
    drawing = str(values_chart(((1.0, 1.0), (3.0, 3.0)), **SIZE, class_="chart"))
    dots = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawing)]
    left, bottom, right, top = diagonal(drawing)
    assert [(left, bottom), (right, top)] == dots


def test_a_bin_that_is_as_right_as_it_is_sure_is_on_the_diagonal() -> None:
    sure = ReliabilityBin(rows=10, confidence=1.0, right=Estimate(value=1.0, low=0.7, high=1.0))
    drawing = str(calibration_chart((sure,), **SIZE, class_="chart"))
    _, _, right, top = diagonal(drawing)
    assert f'<circle cx="{right:g}" cy="{top:g}"' in drawing


def test_a_cell_without_rows_has_no_colour() -> None:
    drawing = str(confusion_chart(Confusion(classes=("a", "b"), counts=((4, 0), (1, 3))), width=510, class_="chart"))
    assert ["1.000", "0.000", "0.340", "0.780"] == re.findall(r'fill-opacity="([\d.]+)"', drawing)


def test_nothing_is_drawn_of_nothing() -> None:
    assert {Markup("")} == {
        curves_chart((), ROC, **SIZE, class_=""),
        calibration_chart((), **SIZE, class_=""),
        values_chart((), **SIZE, class_=""),
        confusion_chart(None, width=510, class_=""),
    }
