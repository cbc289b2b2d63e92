"""The kinds of request of a mix, beside one another, in words."""

from modeldyno.records.run import Summary
from modeldyno.reports.estimates import duration_text, failures_text

KINDS_HEADING = ("kind", "requests", "failures", "p50", "p99", "max")


def kind_rows(summary: Summary) -> list[tuple[str, ...]]:
    """One row for each kind under `KINDS_HEADING`; none without a mix."""
    return [
        (
            one.kind,
            f"{one.requests:,}",
            failures_text(one.failures, one.requests),
            *(duration_text(value) for value in (one.response_time.p50_ns, one.response_time.p99_ns)),
            duration_text(one.response_time.max_ns),
        )
        for one in summary.kinds
    ]
