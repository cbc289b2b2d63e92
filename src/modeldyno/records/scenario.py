"""The scenarios of MLPerf Inference: what each asks of a load, and what became of it.

The rules are those of mlcommons/inference_policies, inference_rules.adoc ("Scenarios", "Early stopping"), and the
numbers those of mlcommons/inference, loadgen/mlperf.conf and loadgen/test_settings.h.
"""

from typing import Literal

from modeldyno.errors import UsageError
from modeldyno.records.base import Record
from modeldyno.records.verdict import Answer

ScenarioName = Literal["single-stream", "multi-stream", "server", "offline"]
ScenarioRule = Literal["failures", "complete", "duration", "count", "target_latency", "early_stopping"]

SCENARIO_NAMES: dict[ScenarioName, str] = {
    "single-stream": "SingleStream",
    "multi-stream": "MultiStream",
    "server": "Server",
    "offline": "Offline",
}
"""As the command line and the records spell them, to as MLPerf does."""
MIN_DURATION_NS = 600 * 10**9
"""`min_duration` of all scenarios in mlperf.conf."""

_PERCENTILES: dict[ScenarioName, float] = {"single-stream": 0.9, "multi-stream": 0.99, "server": 0.99}
_MIN_COUNTS: dict[ScenarioName, int] = {"single-stream": 100, "multi-stream": 662, "server": 100, "offline": 24_576}


class Scenario(Record, frozen=True, kw_only=True):
    """A scenario with its rules."""

    name: ScenarioName
    percentile: float | None
    """Of the latency that is reported (SingleStream, MultiStream) or limited (Server), such as 0.99; else None."""
    target_latency_ns: int | None = None
    """Server: the limit of the percentile. None in the others, which have none."""
    samples_per_query: int = 1
    """Rows in a request; in Offline as many as the user chose, for there the whole load is one query."""
    min_duration_ns: int = MIN_DURATION_NS
    """MLPerf asks for 600 s; a shorter one is named in the result."""
    min_count: int
    """Queries, in Offline samples. In Server early stopping asks for more, which took the place of 270,336."""

    @property
    def title(self) -> str:
        """As MLPerf spells it."""
        return SCENARIO_NAMES[self.name]

    @property
    def percentile_name(self) -> str:
        """`p90`, `p99.9`; nothing in Offline."""
        return "" if self.percentile is None else f"p{self.percentile * 100:.10g}"

    @property
    def is_shortened(self) -> bool:
        """Whether it asks for less time than MLPerf does."""
        return self.min_duration_ns < MIN_DURATION_NS


class ScenarioCheck(Record, frozen=True, kw_only=True):
    """One rule of a scenario, answered."""

    rule: ScenarioRule
    is_met: bool
    evidence: str
    """One sentence with the numbers, and what to change when it is not met."""


class ScenarioResult(Record, frozen=True, kw_only=True):
    """What a scenario's rules say of a run. It is no official MLPerf result: nobody submitted or reviewed it."""

    scenario: Scenario
    result: Literal["valid", "invalid"]
    """As LoadGen words it: `valid` when every rule is met."""
    checks: tuple[ScenarioCheck, ...]
    queries: int
    """Issued in the measured phase."""
    samples: int
    """Rows in the answered queries."""
    latency_ns: float | None
    """SingleStream, MultiStream: the early-stopping estimate of the percentile, which is their metric. Server: the
    plain percentile. None in Offline, with too few queries, and where failures reach the percentile."""
    samples_per_s: float
    """The metric of Server (as scheduled) and of Offline (over the time to the last answer); beside the metric in the
    others (as issued)."""
    completed_per_s: float | None = None
    """Server: samples per second over the time to the last answer."""
    over_latency: int | None = None
    """Server: queries over the target latency; SingleStream, MultiStream: the highest latencies that the estimate
    discards."""
    notes: tuple[str, ...] = ()
    """What a careful reader should know although no rule asks for it."""

    @property
    def answer(self) -> Answer:
        """Whether the service passed (a failed query decides that at any length), or the run cannot tell."""
        unmet = {check.rule for check in self.checks if not check.is_met}
        if not unmet:
            return "pass"
        if "failures" in unmet:
            return "fail"
        undecided = unmet & {"complete", "duration", "count"}
        return "fail" if "target_latency" in unmet and not undecided else "cannot_tell"


def parse_scenario_name(text: str) -> ScenarioName:
    """`"server"`, `"Server"`, `"single-stream"`, `"SingleStream"` or `"single_stream"` to a name.

    Raises:
        UsageError: it is none of the four.
    """
    plain = text.strip().lower().replace("-", "").replace("_", "")
    for name in SCENARIO_NAMES:
        if plain == name.replace("-", ""):
            return name
    raise UsageError(f"{text!r} is not a scenario of MLPerf Inference", hint=f"one of {', '.join(SCENARIO_NAMES)}")


def scenario_of(
    name: ScenarioName,
    *,
    target_latency_ns: int | None = None,
    percentile: float | None = None,
    samples_per_query: int | None = None,
    min_duration_ns: int | None = None,
) -> Scenario:
    """A scenario with the rules of MLPerf where nothing else is given.

    Args:
        name: which.
        target_latency_ns: Server: the limit, which it needs.
        percentile: other than p90 (SingleStream) or p99 (MultiStream, Server); between 0 and 1.
        samples_per_query: MultiStream: other than 8.
        min_duration_ns: other than 600 s.

    Raises:
        UsageError: the scenario has no such setting, lacks one, or a number cannot be.
    """
    title = SCENARIO_NAMES[name]
    if name == "server" and target_latency_ns is None:
        raise UsageError("the Server scenario needs a target latency", hint="for example --target-latency 15ms")
    if name != "server" and target_latency_ns is not None:
        raise UsageError(f"{title} has no target latency", hint="leave out --target-latency, or choose server")
    if name == "offline" and percentile is not None:
        raise UsageError("Offline judges no latency", hint="leave out --percentile")
    if name != "multi-stream" and samples_per_query is not None:
        reason = "its samples are there at once" if name == "offline" else "its queries are of one sample"
        raise UsageError(f"{title} has no samples per query", why=reason, hint="leave out --samples-per-query")
    samples = 8 if name == "multi-stream" and samples_per_query is None else samples_per_query or 1
    limits = {"the target latency": target_latency_ns, "the minimum duration": min_duration_ns}
    for what, value in limits.items():
        if value is not None and value < 1:
            raise UsageError(f"{what} must be more than nothing")
    if percentile is not None and not 0.5 <= percentile < 1:
        raise UsageError(f"p{percentile * 100:g} is not a percentile to judge", hint="for example --percentile 99")
    if samples < 1 or samples_per_query == 0:
        raise UsageError(f"a query holds at least 1 sample, not {samples_per_query}")
    return Scenario(
        name=name,
        percentile=_PERCENTILES.get(name) if percentile is None else percentile,
        target_latency_ns=target_latency_ns,
        samples_per_query=samples,
        min_duration_ns=MIN_DURATION_NS if min_duration_ns is None else min_duration_ns,
        min_count=_MIN_COUNTS[name],
    )
