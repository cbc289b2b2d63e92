import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import UsageError
from modeldyno.units import (
    format_duration,
    format_fraction,
    format_number,
    format_rate,
    format_size,
    parse_duration_ns,
    parse_fraction,
    parse_rate_per_s,
    parse_size_bytes,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("20ms", 20_000_000),
        ("1.5 s", 1_500_000_000),
        ("90s", 90_000_000_000),
        ("2m", 120_000_000_000),
        ("250us", 250_000),
    ),
)
def test_a_duration_is_a_number_with_a_unit(text: str, expected: int) -> None:
    assert expected == parse_duration_ns(text)


@pytest.mark.parametrize("text", ("20", "ms", "-3s", "1 fortnight", "", "1e3s"))
def test_what_is_not_a_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration") as caught:
        parse_duration_ns(text)
    assert "20s" in caught.value.hint


@pytest.mark.parametrize(("text", "expected"), (("500", 500.0), ("500/s", 500.0), ("2k/s", 2000.0), ("0.5", 0.5)))
def test_a_rate_may_name_its_unit(text: str, expected: float) -> None:
    assert expected == parse_rate_per_s(text)


@pytest.mark.parametrize("text", ("0", "-5", "fast", ""))
def test_a_rate_that_is_not_above_zero_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a rate"):
        parse_rate_per_s(text)


@pytest.mark.parametrize(("text", "expected"), (("64MB", 64_000_000), ("1.5GiB", 1_610_612_736), ("300", 300)))
def test_sizes_know_decimal_and_binary_units(text: str, expected: int) -> None:
    assert expected == parse_size_bytes(text)


def test_a_fraction_may_be_a_percentage() -> None:
    assert parse_fraction("0.005") == parse_fraction("0.5%")


@pytest.mark.parametrize(
    ("value_ns", "expected"),
    (
        (6e-11, "0 ns"),
        (850, "850 ns"),
        (7_120, "7.12 µs"),
        (2_100_000, "2.10 ms"),
        (1_500_000_000, "1.50 s"),
        (180e9, "3.00 min"),
    ),
)
def test_durations_take_the_unit_that_reads_best(value_ns: float, expected: str) -> None:
    assert expected == format_duration(value_ns)


@pytest.mark.parametrize(
    ("value", "expected"),
    ((41_234, "41,200"), (0.03123, "0.0312"), (0, "0"), (9.999, "10.0"), (9.6, "9.60"), (1.0, "1.00")),
)
def test_numbers_keep_three_significant_digits(value: float, expected: str) -> None:
    assert expected == format_number(value)


def test_sizes_and_rates_carry_their_units() -> None:
    assert format_size(33_100) == "33.1 kB"
    assert ["500/s", "50/s", "46.8/s", "41,200/s"] == [format_rate(rate) for rate in (500, 50, 46.83, 41_234)]


@given(st.floats(min_value=1e-6, max_value=1 - 1e-6))
def test_a_share_that_is_not_all_is_never_shown_as_all_or_nothing(value: float) -> None:
    assert format_fraction(value) not in ("0.0 %", "100.0 %")


@given(st.integers(min_value=1, max_value=10**13))
def test_a_formatted_duration_is_within_a_percent_of_the_truth(value_ns: int) -> None:
    number, unit = format_duration(value_ns).split()
    scale = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9}[unit]
    assert abs(float(number.replace(",", "")) * scale - value_ns) <= 0.01 * value_ns
