"""Comparisons for the tests of the reports: a regression, an improvement, equals, and what cannot be judged."""

from msgspec.structs import replace

from modeldyno.records.base import Estimate
from modeldyno.records.comparison import Comparison, Difference, MetricComparison, Side

LATENCY = MetricComparison(
    metric="p99",
    a=Estimate(value=2_050_000, low=1_940_000, high=2_190_000),
    b=Estimate(value=2_610_000, low=2_450_000, high=2_800_000),
    ratio=Estimate(value=1.27, low=1.15, high=1.41),
    change="worse",
    regression="fail",
    evidence="p99 2.61 ms against 2.05 ms: between 1.15 and 1.41 times A's; 1.05 is allowed",
)
THROUGHPUT = MetricComparison(
    metric="throughput",
    a=Estimate(value=499.8, low=499.1, high=500.2),
    b=Estimate(value=500.1, low=499.4, high=500.6),
    ratio=Estimate(value=1.0006, low=0.9985, high=1.0031),
    change="equal",
    regression="pass",
    evidence="throughput 500/s against 500/s: between 0.999 and 1.00 times A's; 0.950 is allowed",
)
FAILURES = MetricComparison(
    metric="error_rate",
    a=Estimate(value=0.0, low=0.0, high=0.00037),
    b=Estimate(value=0.0012, low=0.0006, high=0.0021),
    ratio=Estimate(value=0.0012, low=0.0005, high=0.0023),
    change="worse",
    regression="fail",
    evidence="0 of 10,000 requests failed at A, 12 of 10,000 at B: a difference between 0.05 % and 0.23 %",
)
UNSUPPORTED = MetricComparison(
    metric="p99.9",
    a=None,
    b=None,
    ratio=None,
    change="cannot_tell",
    regression="cannot_tell",
    evidence="too few independent requests for p99.9 in A and B; measure longer",
)


def regression() -> Comparison:
    """Two stored runs, the second slower and with another library."""
    return Comparison(
        tool_version="0.1.0",
        compared_at="2026-03-14T09:26:53+00:00",
        method="stored_runs",
        blocks=1,
        margin=0.02,
        max_regression=0.05,
        differences=(
            Difference(name="libraries.onnxruntime", a="1.23.2", b="1.24.0"),
            Difference(name="requests", a="10000", b="12000"),
        ),
        a=Side(source="out/before.run", model="digits", runs=("out/before.run",), requests=10_000, failures={}),
        b=Side(
            source="out/after.run", model="digits", runs=("out/after.run",), requests=12_000, failures={"timeout": 12}
        ),
        metrics=(LATENCY, THROUGHPUT, FAILURES),
        measurement="valid",
        reasons=(),
        notes=("the two runs did not take turns: what changed on the machine between them is in the ratios",),
    )


def equals() -> Comparison:
    """Two bundles in turns, nothing different."""
    sides = [
        Side(
            source=f"out/{name}.bundle",
            model="digits",
            runs=tuple(f"out/x.compare/block-{turn:02d}-{name}.run" for turn in range(1, 9)),
            requests=10_000,
            failures={},
        )
        for name in "ab"
    ]
    equal = replace(FAILURES, b=FAILURES.a, ratio=Estimate(value=0.0, low=-0.0005, high=0.0005))
    metrics = (THROUGHPUT, replace(equal, change="equal", regression="pass"))
    return replace(
        regression(),
        method="interleaved_blocks",
        blocks=8,
        differences=(),
        a=sides[0],
        b=sides[1],
        metrics=metrics,
        notes=(),
    )


def better() -> Comparison:
    """As `equals`, with a better p99."""
    faster = replace(
        LATENCY, a=LATENCY.b, b=LATENCY.a, ratio=Estimate(value=0.787, low=0.709, high=0.87), change="better"
    )
    return replace(equals(), metrics=(replace(faster, regression="pass"), *equals().metrics))


def undecided() -> Comparison:
    """Too few requests for the percentile asked for."""
    return replace(equals(), metrics=(UNSUPPORTED, THROUGHPUT))


def invalid() -> Comparison:
    """Another rate, and a run that cannot be believed."""
    reason = "412/s were sent of 500/s planned, 17.6 % less: the client is the bottleneck"
    return replace(
        regression(),
        differences=(Difference(name="rate_per_s", a="500", b="600", forbids_verdict=True),),
        b=replace(regression().b, invalid=(reason,)),
        measurement="invalid",
        reasons=(
            "they were not offered the same load: rate_per_s is 500 at A and 600 at B",
            f"the run of B is not valid: {reason}",
        ),
    )
