"""What was offered to a server, in words."""

from pathlib import PurePath

from modeldyno.records.run import Summary
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.reports.estimates import plural
from modeldyno.units import format_fraction, format_number, format_rate


def offered_text(asked: Workload) -> str:
    """`Poisson arrivals at 500/s`, `Ramp from 10/s to 500/s`, `Closed loop of 32 users`."""
    if asked.is_closed:
        return f"Closed loop of {plural(asked.concurrency, 'user')}"
    if asked.from_per_s is not None and asked.to_per_s is not None:
        first, other = format_rate(asked.from_per_s), format_rate(asked.to_per_s)
        levels = f" in {asked.steps} steps" if asked.arrivals == "step" else ""
        return f"{asked.arrivals.capitalize()} from {first} to {other}{levels}"
    if asked.trace is not None:
        changes = "".join(
            f", {format_number(factor)}x the {name}"
            for name, factor in (("speed", asked.trace.speed), ("requests", asked.trace.scale))
            if factor != 1
        )
        return f"Replay of {PurePath(asked.trace.path).name} at {format_rate(asked.rate_per_s)} on average{changes}"
    uneven = f", burstiness {format_number(asked.burstiness)}" if asked.arrivals == "gamma" else ""
    return f"{asked.arrivals.capitalize()} arrivals at {format_rate(asked.rate_per_s)}{uneven}"


def rows_text(asked: Workload) -> str:
    """`1 row each`, or `1 row 90.0 %, 32 rows 10.0 %`; of a mix of many sizes, their mean and range.

    Kinds of a mix come with their shares: `search.http 90.0 %, add.http 10.0 %`. Then what is asked again, where the
    load says it.
    """
    repeats = repeats_text(asked)
    return f"{_sizes_text(asked)}, {repeats}" if repeats else _sizes_text(asked)


def _sizes_text(asked: Workload) -> str:
    if asked.kind_mix:
        return ", ".join(f"{one.kind} {format_fraction(one.share)}" for one in asked.kind_mix)
    mix = asked.row_mix
    if not mix:
        return f"{plural(asked.rows_per_request, 'row')} each"
    if len(mix) > 4:
        return f"{format_number(asked.mean_rows)} rows on average, {mix[0].rows:,} to {mix[-1].rows:,}"
    return ", ".join(f"{plural(one.rows, 'row')} {format_fraction(one.share)}" for one in mix)


def repeats_text(asked: Workload) -> str:
    """`30.0 % ask again what one of the first 1,000 did (Zipf)`; nothing where the load does not say."""
    repeats = asked.repeats
    if repeats is None:
        return ""
    law = "all alike" if not repeats.exponent else "Zipf" if repeats.exponent == 1 else f"Zipf {repeats.exponent:g}"
    return f"{format_fraction(repeats.share)} ask again what one of the first {repeats.pool:,} did ({law})"


def phases_text(asked: Workload) -> str:
    """`5,000 requests after 500 of warm-up`; a closed loop that ends by time says how long."""
    if not asked.is_closed:
        return f"{asked.requests:,} requests after {asked.warmup_requests:,} of warm-up"
    length = f"{format_number(asked.duration_ns / 1e9)} s" if asked.duration_ns else plural(asked.requests, "request")
    return f"{length} after {format_number(asked.warmup_ns / 1e9)} s of warm-up"


def questions_text(asked: Workload, done: EffectiveWorkload) -> str:
    """`812 different questions, 30.1 % asked before`; nothing where the load does not say what repeats."""
    says = asked.repeats is not None or (asked.trace is not None and asked.trace.questions is not None)
    if not says or done.questions is None or done.repeated_fraction is None:
        return ""
    return f"{plural(done.questions, 'different question')}, {format_fraction(done.repeated_fraction)} asked before"


def delivered_text(summary: Summary) -> str:
    """`499/s of 500/s asked`, or only what was delivered where no rate was asked."""
    asked = f" of {format_rate(summary.rate_asked_per_s)} asked" if summary.rate_asked_per_s else ""
    return f"{format_rate(summary.rate_delivered_per_s)}{asked}"
