import pytest

from modeldyno.errors import UsageError
from modeldyno.records.scenario import (
    SCENARIO_NAMES,
    ScenarioCheck,
    ScenarioName,
    ScenarioResult,
    ScenarioRule,
    parse_scenario_name,
    scenario_of,
)


@pytest.mark.parametrize(("name", "title"), SCENARIO_NAMES.items())
def test_a_name_is_read_as_we_and_as_mlperf_spell_it(name: ScenarioName, title: str) -> None:
    assert [name] * 4 == [
        parse_scenario_name(text) for text in (name, title, title.upper(), f" {name.replace('-', '_')} ")
    ]


@pytest.mark.parametrize("text", ("", "multistreams", "closed", "single stream"))
def test_another_name_is_refused_with_the_four(text: str) -> None:
    with pytest.raises(UsageError, match="is not a scenario") as caught:
        parse_scenario_name(text)
    assert "single-stream, multi-stream, server, offline" in caught.value.hint


def test_the_rules_are_those_of_mlperf_where_nothing_else_is_said() -> None:
    single, multi = scenario_of("single-stream"), scenario_of("multi-stream")
    server, offline = scenario_of("server", target_latency_ns=15_000_000), scenario_of("offline")
    assert [0.9, 0.99, 0.99, None] == [one.percentile for one in (single, multi, server, offline)]
    assert [100, 662, 100, 24_576] == [one.min_count for one in (single, multi, server, offline)]
    assert [1, 8, 1, 1] == [one.samples_per_query for one in (single, multi, server, offline)]
    assert {600 * 10**9} == {one.min_duration_ns for one in (single, multi, server, offline)}
    assert not server.is_shortened


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    (
        ("server", {}, "needs a target latency"),
        ("server", {"target_latency_ns": 0}, "target latency must be more"),
        ("server", {"target_latency_ns": 1, "samples_per_query": 2}, "no samples per query"),
        ("server", {"target_latency_ns": 1, "percentile": 1.0}, "not a percentile"),
        ("single-stream", {"target_latency_ns": 1}, "no target latency"),
        ("single-stream", {"percentile": 0.1}, "not a percentile"),
        ("single-stream", {"min_duration_ns": 0}, "minimum duration must be more"),
        ("multi-stream", {"samples_per_query": 0}, "at least 1 sample"),
        ("multi-stream", {"samples_per_query": -1}, "at least 1 sample"),
        ("offline", {"percentile": 0.9}, "no latency"),
        ("offline", {"samples_per_query": 8}, "no samples per query"),
    ),
)
def test_a_setting_that_a_scenario_cannot_have_is_refused(
    name: ScenarioName, settings: dict[str, int], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        scenario_of(name, **settings)


@pytest.mark.parametrize(
    ("unmet", "answer"),
    (
        ((), "pass"),
        (("duration",), "cannot_tell"),
        (("early_stopping",), "cannot_tell"),
        (("target_latency", "early_stopping"), "fail"),
        (("count", "target_latency", "early_stopping"), "cannot_tell"),
        (("failures", "duration"), "fail"),
    ),
)
def test_what_the_service_missed_is_told_from_what_the_run_could_not_show(
    unmet: tuple[ScenarioRule, ...], answer: str
) -> None:
    result = ScenarioResult(
        scenario=scenario_of("server", target_latency_ns=1),
        result="invalid",
        checks=tuple(ScenarioCheck(rule=rule, is_met=False, evidence="as seen") for rule in unmet),
        queries=1,
        samples=1,
        latency_ns=None,
        samples_per_s=1.0,
    )
    assert answer == result.answer


def test_a_percentile_is_named_without_needless_digits() -> None:
    names = [scenario_of("single-stream", percentile=one).percentile_name for one in (0.9, 0.99, 0.999, 0.97)]
    assert ["p90", "p99", "p99.9", "p97"] == names
    assert "" == scenario_of("offline").percentile_name
