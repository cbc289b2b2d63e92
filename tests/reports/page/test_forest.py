import re

from msgspec.structs import replace
from tests.reports import comparisons

from modeldyno.reports.page.forest import forest_chart


def draw(**changes: object) -> str:
    return str(forest_chart(replace(comparisons.regression(), **changes), width=1040, height=300, class_="chart"))


def places(drawing: str) -> tuple[list[float], list[float]]:
    """Where the limits and the ratios stand, from left to right of the page."""
    limits = [float(x) for x in re.findall(r'<line x1="([\d.]+)"[^>]*class="limit"', drawing)]
    return limits, [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', drawing)]


def test_more_latency_than_allowed_is_right_of_its_limit_and_enough_throughput_right_of_its_own() -> None:
    limits, ratios = places(draw())
    assert 2 == len(limits) == len(ratios)
    assert ratios[0] > limits[0] > ratios[1] > limits[1]


def test_every_mark_stays_in_the_drawing() -> None:
    limits, ratios = places(draw(max_regression=0.9))
    assert all(110 <= x <= 1016 for x in (*limits, *ratios))


def test_without_a_ratio_there_is_no_drawing() -> None:
    assert "" == draw(metrics=(comparisons.UNSUPPORTED, comparisons.FAILURES))
