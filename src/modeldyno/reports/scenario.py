"""A scenario of MLPerf Inference in words, for the terminal, the page and Markdown."""

from modeldyno.records.scenario import MIN_DURATION_NS, ScenarioName, ScenarioResult, ScenarioRule
from modeldyno.reports.estimates import plural
from modeldyno.units import format_duration, format_rate

NOT_OFFICIAL = (
    "Not an official MLPerf submission, and not verified by MLCommons: a service was measured over its network "
    "protocol, with requests, seeds and a warm-up of Modeldyno's own"
)
RULE_WORDS: dict[ScenarioRule, str] = {
    "failures": "no failures",
    "complete": "complete",
    "duration": "minimum duration",
    "count": "minimum count",
    "target_latency": "target latency",
    "early_stopping": "early stopping",
}
_OFFERED: dict[ScenarioName, str] = {
    "single-stream": "one query of 1 sample at a time, the next when it is answered",
    "multi-stream": "one query at a time, each one request of {rows}: it ends when its slowest sample does",
    "server": "Poisson arrivals of queries of 1 sample; latency counts from the scheduled moment",
    "offline": "all samples wait from the start; the client hands them over in requests of {rows} as answers come",
}


def scenario_title(result: ScenarioResult) -> str:
    """`MLPerf Server: VALID`."""
    return f"MLPerf {result.scenario.title}: {result.result.upper()}"


def condition_text(result: ScenarioResult) -> str:
    """`under a minimum duration of 10 s; MLPerf asks for 600 s`; nothing when it is that of MLPerf or more."""
    if not result.scenario.is_shortened:
        return ""
    asked_s, official_s = result.scenario.min_duration_ns / 1e9, MIN_DURATION_NS / 1e9
    return f"under a minimum duration of {asked_s:g} s; MLPerf asks for {official_s:g} s"


def outcome_text(result: ScenarioResult) -> str:
    """The scenario's metric first, then what belongs beside it."""
    scenario, tail = result.scenario, result.scenario.percentile_name
    latency = "cannot be given" if result.latency_ns is None else format_duration(result.latency_ns)
    rate = _samples_per_s(result.samples_per_s)
    if scenario.name == "offline":
        return f"{rate}, {plural(result.samples, 'sample')} in {plural(result.queries, 'request')}"
    if scenario.name == "server":
        return (
            f"{rate} as scheduled, {_samples_per_s(result.completed_per_s or 0.0)} as completed; {tail} {latency}, "
            f"target {format_duration(scenario.target_latency_ns or 0)}"
        )
    return f"early-stopping estimate of {tail} {latency}; {rate}"


def offered_as_text(result: ScenarioResult) -> str:
    """How the scenario became a load."""
    return _OFFERED[result.scenario.name].format(rows=plural(result.scenario.samples_per_query, "row"))


def unmet_text(result: ScenarioResult) -> str:
    """One sentence for each rule that is not met; nothing when all are."""
    unmet = [one.evidence for one in result.checks if not one.is_met]
    return " ".join(f"{evidence[0].upper()}{evidence[1:]}." for evidence in unmet)


def _samples_per_s(rate_per_s: float) -> str:
    return f"{format_rate(rate_per_s).removesuffix('/s')} samples/s"
