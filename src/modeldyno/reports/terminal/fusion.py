"""A fusion as text."""

from modeldyno.records.base import Estimate
from modeldyno.records.fusion import Fusion, FusionSpeed
from modeldyno.reports.estimates import duration_text
from modeldyno.reports.terminal.layout import entries, entry, joined, table


def fusion_text(fusion: Fusion) -> str:
    """What was gained, how far the answers are the same, and what to type next."""
    rows = [("rows", "apart", "fused", "apart takes"), *(_row(speed) for speed in fusion.speed)]
    specs = [f"{one.name} {one.datatype} {list(one.shape)}" for one in fusion.signature.inputs]
    return joined(
        [
            *entry("fused", f"{', '.join(fusion.parts)}: {fusion.operations} operations, {fusion.nodes} nodes"),
            *entries("takes", specs),
            *entry("answers", f"the same on {fusion.rows:,} rows of {fusion.data}"),
            *entry("", f"numbers differ by {fusion.largest_difference:.2g} at most"),
            "",
            *table("reee", rows),
            *entries("", [_verdict(speed) for speed in fusion.speed]),
            "",
            *entry("model", fusion.out),
            *entry("next", f"dyno tune {fusion.out} --data DATA --slo ..."),
        ]
    )


def _row(speed: FusionSpeed) -> tuple[str, ...]:
    return f"{speed.rows}", duration_text(speed.apart_ns), duration_text(speed.fused_ns), _times(speed.ratio)


def _times(ratio: Estimate) -> str:
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.2f}×"
    return f"{ratio.value:.2f}× [{ratio.low:.2f}, {ratio.high:.2f}]"


def _verdict(speed: FusionSpeed) -> str:
    low, high = speed.ratio.low, speed.ratio.high
    if low is None or high is None or low <= 1 <= high:
        found = "no gain that could be told from chance"
    else:
        found = "fused is faster" if low > 1 else "fused is slower: keep the parts apart"
    return f"calls of {speed.rows} {'row' if speed.rows == 1 else 'rows'}: {found}"
