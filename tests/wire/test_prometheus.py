import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from modeldyno.wire.prometheus import (
    Buckets,
    Exposed,
    Family,
    Series,
    format_exposition,
    parse_exposition,
    prefers_openmetrics,
)

Kind = Literal["counter", "gauge", "histogram"]

# The example of the format's own page, shortened.
EXAMPLE = r"""
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
"""


def test_the_example_of_the_format_is_read() -> None:
    exposition = parse_exposition(EXAMPLE)
    assert 0 == exposition.unread_lines
    assert Exposed("http_requests_total", '{method="post",code="200"}', 1027, "counter") == exposition.samples[0]
    by_name = {one.name: one for one in exposition.samples}
    assert 12.47 == by_name["metric_without_timestamp_and_labels"].value
    assert "untyped" == by_name["metric_without_timestamp_and_labels"].kind
    assert "histogram" == by_name["http_request_duration_seconds_count"].kind
    assert r'FILE.TXT\""}' in by_name["msdos_file_access_time_seconds"].labels


def test_an_infinite_value_is_left_out_and_is_no_unread_line() -> None:
    assert "something_weird" not in {one.name for one in parse_exposition(EXAMPLE).samples}
    assert ((), 0) == parse_exposition("a NaN\n")


def test_the_forms_of_openmetrics_are_read() -> None:
    text = '# TYPE foo counter\n# UNIT foo seconds\nfoo_total{a="}"} 17.0 1520879607.789 # {trace="x"} 0.6\n# EOF\n'
    assert (Exposed("foo_total", '{a="}"}', 17.0, "counter"),) == parse_exposition(text).samples


def test_what_is_no_sample_is_counted() -> None:
    assert 3 == parse_exposition("<html>\nhello world\n{} 3\nfine 1\n").unread_lines


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    assert all(math.isfinite(one.value) for one in parse_exposition(text).samples)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_value_comes_back_as_it_was(value: float) -> None:
    assert value == parse_exposition(f"metric {value!r}").samples[0].value


def family(*series: Series | Buckets, name: str = "things_total", kind: Kind = "counter") -> Family:
    return Family(name, kind, "Things", series)


def read_by_prometheus(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text.decode())
    return {(one.name, frozenset(one.labels.items())): one.value for each in families for one in each.samples}


LABEL_NAMES = st.sampled_from(["model", "version", "reason", "outcome"])
LABELS = st.dictionaries(LABEL_NAMES, st.text(st.characters(exclude_categories=["Cs"]))).map(
    lambda found: tuple(found.items())
)


@given(labels=LABELS, value=st.integers(0, 2**53) | st.floats(allow_nan=False))
def test_prometheus_reads_the_labels_and_the_value_that_were_written(
    labels: tuple[tuple[str, str], ...], value: float
) -> None:
    text = format_exposition([family(Series(labels, value), name="things", kind="gauge")])
    assert {("things", frozenset(labels)): value} == read_by_prometheus(text)


@given(labels=LABELS, counts=st.lists(st.integers(0, 10**6), min_size=3, max_size=3), total=st.floats(0, 1e9))
def test_a_histogram_is_read_with_running_counts_of_which_the_last_is_all(
    labels: tuple[tuple[str, str], ...], counts: list[int], total: float
) -> None:
    text = format_exposition(
        [family(Buckets(labels, (0.001, 0.5), counts, total), name="time_seconds", kind="histogram")]
    )
    found = read_by_prometheus(text)
    first, second, rest = counts
    for bound, expected in (("0.001", first), ("0.5", first + second), ("+Inf", first + second + rest)):
        assert expected == found["time_seconds_bucket", frozenset([*labels, ("le", bound)])]
    assert (sum(counts), total) == (
        found["time_seconds_count", frozenset(labels)],
        found["time_seconds_sum", frozenset(labels)],
    )


@given(labels=LABELS)
def test_our_own_parser_understands_every_line(labels: tuple[tuple[str, str], ...]) -> None:
    buckets = Buckets(labels, (1.0,), (2, 3), 4.0)
    text = format_exposition([family(Series(labels, 1)), family(buckets, name="h", kind="histogram")]).decode()
    exposition = parse_exposition(text)
    assert 0 == exposition.unread_lines
    assert ["counter", "histogram", "histogram", "histogram", "histogram"] == [one.kind for one in exposition.samples]


@given(labels=LABELS)
def test_openmetrics_is_read_by_its_strict_parser(labels: tuple[tuple[str, str], ...]) -> None:
    families = [
        family(Series(labels, 7)),
        family(Series(labels, 8), name="nv_inference_count"),
        family(Buckets(labels, (0.5, 1.0), (1, 2, 3), 4.5), name="time_seconds", kind="histogram"),
    ]
    text = format_exposition(families, openmetrics=True).decode()
    found = list(openmetrics_families(text))  # type: ignore[no-untyped-call]
    assert [("things", "counter"), ("nv_inference_count", "unknown"), ("time_seconds", "histogram")] == [
        (one.name, one.type) for one in found
    ]
    assert ["things_total", "nv_inference_count"] == [one.samples[0].name for one in found[:2]]


def test_an_explanation_of_several_lines_stays_one() -> None:
    text = format_exposition([Family("a", "gauge", 'one\ntwo \\ "three"', [Series((), 1)])]).decode()
    assert '# HELP a one\\ntwo \\\\ "three"\n# TYPE a gauge\na 1\n' == text


def test_what_is_not_finite_is_written_as_the_format_wants_it() -> None:
    values = (math.inf, -math.inf, math.nan)
    text = format_exposition([family(*(Series((), value) for value in values), name="a", kind="gauge")]).decode()
    assert ["a +Inf", "a -Inf", "a NaN"] == text.splitlines()[2:]


@pytest.mark.parametrize(
    ("accept", "expected"),
    (
        (b"", False),
        (b"text/plain;version=0.0.4", False),
        (b"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", True),
        (b"Application/OpenMetrics-Text", True),
        (b"text/plain;q=0.5,application/openmetrics-text;q=0", False),
        (b"text/plain, application/openmetrics-text;q=0.1", False),
    ),
)
def test_the_format_is_the_one_that_the_client_prefers(accept: bytes, *, expected: bool) -> None:
    assert expected == prefers_openmetrics(accept)
