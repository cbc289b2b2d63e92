import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.errors import ObjectiveError
from modeldyno.records.objective import QUALITY_METRICS, parse_objectives


def test_limits_are_kept_in_the_units_of_the_inside() -> None:
    latency, drop, memory, rate = parse_objectives("p99<20ms, accuracy_drop<=1%, memory<300MB, throughput>=500/s")
    assert (20_000_000, 0.01, 300_000_000, 500.0) == (latency.limit, drop.limit, memory.limit, rate.limit)
    assert ("latency", "quality_change", "size", "rate") == (latency.kind, drop.kind, memory.kind, rate.kind)


def test_a_metric_alone_is_a_direction() -> None:
    throughput, p99 = parse_objectives("throughput, p99")
    assert (("maximise", None), ("minimise", None)) == (
        (throughput.comparison, throughput.limit),
        (p99.comparison, p99.limit),
    )


@pytest.mark.parametrize(
    ("text", "column"),
    (("p99<20", 4), ("p99<20ms, accuracy<=97%", 18), ("p99<", 4), ("p99<20ms,,x", 9), ("p99 20ms", 3), ("<3", 0)),
)
def test_the_place_that_does_not_parse_is_pointed_at(text: str, column: int) -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse_objectives(text)
    shown, pointer = caught.value.why.splitlines()
    assert text == shown
    assert column == pointer.index("^")


@pytest.mark.parametrize(
    ("wrong", "right"), (("p98<20ms", "p99"), ("acuracy>=97%", "accuracy"), ("memroy<1GB", "memory"))
)
def test_an_unknown_metric_suggests_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(ObjectiveError, match="unknown metric") as caught:
        parse_objectives(wrong)
    assert f"did you mean {right}?" == caught.value.hint


def test_a_metric_like_nothing_known_lists_what_is_known() -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse_objectives("zzzz<3")
    assert "p99" in caught.value.hint


def test_a_percentage_without_its_sign_is_questioned() -> None:
    with pytest.raises(ObjectiveError, match="more than 100 %") as caught:
        parse_objectives("accuracy>=97")
    assert "did you mean 97%?" == caught.value.hint


def test_a_limit_in_the_wrong_direction_is_refused() -> None:
    with pytest.raises(ObjectiveError, match="lower is better"):
        parse_objectives("p99>20ms")


def test_the_same_metric_cannot_be_limited_twice() -> None:
    with pytest.raises(ObjectiveError, match="limited already"):
        parse_objectives("p99<20ms, p99<30ms")


def test_a_limit_is_met_as_written() -> None:
    strict, loose = parse_objectives("p99<20ms, error_rate<=0.1%")
    assert not strict.is_met_by(20_000_000)
    assert loose.is_met_by(0.001)


@given(st.sampled_from(QUALITY_METRICS), st.text(max_size=12))
def test_any_text_either_parses_or_is_refused_with_its_place(metric: str, rest: str) -> None:
    try:
        found = parse_objectives(metric + rest)
    except ObjectiveError:
        return
    assert found
