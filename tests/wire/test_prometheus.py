import math

from hypothesis import given
from hypothesis import strategies as st

from modeldyno.wire.prometheus import Exposed, parse_exposition

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
