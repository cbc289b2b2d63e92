import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.records.base import Estimate
from modeldyno.reports.estimates import (
    duration_text,
    failures_text,
    fraction_text,
    metric_name,
    metric_text,
    number_text,
    plural,
    ratio_text,
)
from modeldyno.units import format_duration_interval


def test_an_interval_names_its_unit_once() -> None:
    assert duration_text(Estimate(value=2.1e6, low=1.92e6, high=2.41e6)) == "2.10 ms [1.92, 2.41]"


def test_both_ends_of_an_interval_are_in_the_unit_of_the_value() -> None:
    assert duration_text(Estimate(value=1.2e6, low=0.95e6, high=1_340e6)) == "1.20 ms [0.950, 1,340]"


def test_without_an_interval_only_the_value_is_shown() -> None:
    assert duration_text(Estimate(value=2.1e6)) == "2.10 ms"
    assert ratio_text(Estimate(value=11.3)) == "11.3×"
    assert fraction_text(Estimate(value=0.973)) == "97.3 %"


def test_half_an_interval_is_no_interval() -> None:
    assert number_text(Estimate(value=5.0, low=4.0)) == "5.00"


@pytest.mark.parametrize("write", (duration_text, number_text, ratio_text, fraction_text))
def test_what_was_not_measured_is_a_dash_and_not_a_zero(write: object) -> None:
    assert callable(write)
    assert write(None) == "–"


def test_ratios_and_fractions_carry_their_intervals() -> None:
    assert ratio_text(Estimate(value=11.3, low=10.2, high=12.1)) == "11.3× [10.2, 12.1]"
    assert fraction_text(Estimate(value=0.973, low=0.958, high=0.985)) == "97.3 % [95.8, 98.5]"


def test_a_tiny_fraction_is_never_shown_as_nothing() -> None:
    assert fraction_text(Estimate(value=0.0, low=0.0, high=0.0003)) == "0.0 % [0.0, 0.03]"


@given(st.floats(1, 1e13), st.floats(0.5, 1), st.floats(1, 2))
def test_every_duration_interval_reads_as_value_unit_and_two_ends(value: float, down: float, up: float) -> None:
    text = format_duration_interval(value, value * down, value * up)
    assert re.fullmatch(r"[\d.,]+ (ns|µs|ms|s|min) \[[\d.,]+, [\d.,]+\]", text)


def test_metrics_have_the_names_that_people_write() -> None:
    assert metric_name("f1_macro") == "F1 (macro)"
    assert metric_name("r2") == "R²"
    assert metric_name("accuracy") == "accuracy"


def test_a_metric_is_written_in_its_own_unit() -> None:
    assert metric_text("accuracy", Estimate(value=0.5)) == "50.0 %"
    assert metric_text("mae", Estimate(value=0.5)) == "0.500"


def test_failures_are_counted_by_kind_the_most_frequent_first() -> None:
    assert failures_text({}, 100) == "0 failures"
    assert failures_text({"timeout": 2, "http_503": 10}, 10_000) == "12 failures (0.12 %): http_503 10, timeout 2"
    assert failures_text({"timeout": 1}, 10) == "1 failure (10.00 %): timeout 1"


def test_counts_agree_with_their_nouns() -> None:
    assert plural(1, "row") == "1 row"
    assert plural(1_797, "row") == "1,797 rows"
