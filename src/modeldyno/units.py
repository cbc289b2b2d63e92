"""Durations, sizes, rates and fractions: the only parser and formatter of them.

Inside the program a duration is an integer of nanoseconds, a size an integer of bytes, a rate a float per
second and a fraction a float between 0 and 1. Text is read here on the way in and written here on the way out.
"""

import re

from modeldyno.errors import UsageError

_DURATION_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}
_SIZE_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_RATE_FACTOR = {"": 1.0, "k": 1e3, "M": 1e6}
_NUMBER = r"([0-9]+(?:_[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+)"


def _split(text: str, units: str) -> tuple[float, str] | None:
    match = re.fullmatch(rf"\s*{_NUMBER}\s*({units})\s*", text)
    return (float(match[1].replace("_", "")), match[2]) if match else None


def parse_duration_ns(text: str) -> int:
    """`"20ms"`, `"1.5 s"`, `"90s"`, `"2m"` to nanoseconds; a unit is required.

    Raises:
        UsageError: when the text is not a number with one of ns, us, µs, ms, s, m, min, h, d.
    """
    parts = _split(text, "ns|us|µs|ms|s|min|m|h|d")
    if parts is None:
        raise UsageError(
            f"{text!r} is not a duration",
            why="a duration is a number with a unit: ns, us, ms, s, m, h or d",
            hint="for example 500ms, 20s or 1.5m",
        )
    return round(parts[0] * _DURATION_NS[parts[1]])


def parse_size_bytes(text: str) -> int:
    """`"64MB"`, `"1.5 GiB"`, `"300"` to bytes.

    Raises:
        UsageError: when the text is not a number with one of B, kB, MB, GB, KiB, MiB, GiB.
    """
    parts = _split(text, "|".join(_SIZE_BYTES) + "|")
    if parts is None:
        raise UsageError(
            f"{text!r} is not a size",
            why="a size is a number with a unit: B, kB, MB, GB, KiB, MiB or GiB",
            hint="for example 64MB or 1.5GiB",
        )
    return round(parts[0] * _SIZE_BYTES[parts[1] or "B"])


def parse_rate_per_s(text: str) -> float:
    """`"500"`, `"500/s"`, `"2k/s"` to a rate per second.

    Raises:
        UsageError: when the text is not a positive number, with or without k, M and /s.
    """
    parts = _split(text.strip().removesuffix("/s"), "k|M|")
    if parts is None or parts[0] <= 0:
        raise UsageError(
            f"{text!r} is not a rate",
            why="a rate is a number per second above zero",
            hint="for example 500, 2k or 0.5/s",
        )
    return parts[0] * _RATE_FACTOR[parts[1]]


def parse_fraction(text: str) -> float:
    """`"1%"` or `"0.01"` to 0.01.

    Raises:
        UsageError: when the text is not a number, with or without a percent sign.
    """
    parts = _split(text, "%|")
    if parts is None:
        raise UsageError(f"{text!r} is not a fraction", hint="for example 97%, 0.97 or 0.1%")
    return parts[0] / 100 if parts[1] else parts[0]


def _significant(value: float, digits: int) -> str:
    """`value` with so many significant digits, thousands separated, never in exponent form."""
    if value == 0:
        return "0"
    shown = f"{value:.{digits - 1}e}"  # rounds before the places are counted: 9.999 becomes 1.00e+01
    decimals = min(12, max(0, digits - 1 - int(shown.split("e")[1])))
    return f"{float(shown):,.{decimals}f}"


def format_number(value: float, digits: int = 3) -> str:
    """A plain number with `digits` significant digits and thousands separators: `41,200`, `0.0312`."""
    return _significant(value, digits)


def format_duration(value_ns: float, digits: int = 3) -> str:
    """Nanoseconds in the unit that reads best: `850 ns`, `7.12 µs`, `2.10 ms`, `1.50 s`, `3.0 min`."""
    size = abs(value_ns)
    if size < 0.5:
        return "0 ns"  # no clock here resolves less
    for limit, divisor, unit in ((1e3, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms"), (120e9, 1e9, "s")):
        if size < limit:
            return f"{_significant(value_ns / divisor, digits)} {unit}"
    return f"{_significant(value_ns / 60e9, digits)} min"


def format_size(value_bytes: float) -> str:
    """Bytes in decimal units: `512 B`, `33.1 kB`, `46.7 MB`."""
    for limit, divisor, unit in ((1e3, 1, "B"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if abs(value_bytes) < limit:
            return f"{_significant(value_bytes / divisor, 3)} {unit}"
    return f"{_significant(value_bytes / 1e9, 3)} GB"


def format_rate(value_per_s: float) -> str:
    """A rate: `50/s`, `46.8/s`, `41,200/s`."""
    digits = len(str(round(value_per_s))) if value_per_s == round(value_per_s) and value_per_s < 1000 else 3
    return f"{_significant(value_per_s, digits)}/s"


def format_fraction(value: float, decimals: int = 1) -> str:
    """A fraction as percent: `97.3 %`; never shown as 100.0 % or 0.0 % when it is not."""
    percent = value * 100
    text = f"{percent:.{decimals}f}"
    while decimals < 6 and ((text.strip("-0.") == "" and percent != 0) or (float(text) == 100 and percent != 100)):
        decimals += 1
        text = f"{percent:.{decimals}f}"
    return f"{text} %"


def _bracketed(value: str, low: str, high: str, unit: str) -> str:
    return f"{value}{unit} [{low}, {high}]"


def format_duration_interval(value_ns: float, low_ns: float, high_ns: float) -> str:
    """A duration with its interval, the unit of the value said once: `2.10 ms [1.92, 2.41]`."""
    unit = format_duration(value_ns).rsplit(" ", 1)[1]
    divisor = {"ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9}[unit]
    value, low, high = (_significant(part / divisor, 3) for part in (value_ns, low_ns, high_ns))
    return _bracketed(value, low, high, f" {unit}")


def format_number_interval(value: float, low: float, high: float, unit: str = "") -> str:
    """A number with its interval: `41,200 [39,800, 42,300]`, or with a unit `11.3× [10.2, 12.1]`."""
    return _bracketed(format_number(value), format_number(low), format_number(high), unit)


def format_scaled(value: float) -> str:
    """A large number short enough for a column: `4,930`, `62.3 k`, `2.67 M`."""
    divisor, suffix = _scale(value)
    return f"{format_number(value / divisor)}{suffix}"


def format_scaled_interval(value: float, low: float, high: float) -> str:
    """A large number with its interval, the scale once: `2.67 M [2.60, 2.73]`."""
    divisor, suffix = _scale(value)
    middle, lower, upper = (format_number(part / divisor) for part in (value, low, high))
    return _bracketed(middle, lower, upper, suffix)


def _scale(value: float) -> tuple[float, str]:
    if abs(value) >= 1e6:
        return 1e6, " M"
    return (1e3, " k") if abs(value) >= 1e4 else (1.0, "")


def format_fraction_interval(value: float, low: float, high: float) -> str:
    """A fraction as percent with its interval: `97.3 % [95.8, 98.5]`."""
    middle, lower, upper = (format_fraction(part).removesuffix(" %") for part in (value, low, high))
    return _bracketed(middle, lower, upper, " %")
