"""A call cut open, in rows and facts that every report shows: layers, operators, limits, first call, memory."""

from collections.abc import Sequence

from modeldyno.records.anatomy import Anatomy, ColdStart, GraphCost, MemoryUse, OperatorTime
from modeldyno.records.base import Estimate, Record
from modeldyno.records.peaks import Peaks
from modeldyno.records.speed import Profile, SpeedPoint
from modeldyno.reports.estimates import MISSING, duration_text, fraction_text, plural
from modeldyno.units import format_duration, format_fraction, format_number, format_size

_PEAK_PRECISIONS = ("fp32", "bf16", "fp16", "int8")
LAYER_HEADING = ("layer", "time", "of the call")
KIND_HEADING = ("operator", "count", "share", "time", "op/byte", "rate", "at least", "limited by")
_LAYERS = (
    ("our session", "session_layer_ns"),
    ("arrays to and from the runtime", "python_ns"),
    ("the runtime, for any call", "runtime_ns"),
    ("computing", "computing_ns"),
)


class KindTotal(Record, frozen=True, kw_only=True):
    """All operators of one kind in a call."""

    kind: str
    count: int
    share: float
    """Of the time of all operators."""
    time_ns: float
    operations: int | None
    """None where one of them is not counted."""
    bytes_moved: int | None
    limit_ns: float | None
    """The least time that the machine allows; None where it is not known of one of them."""
    bound: str
    """`compute`, `memory`, `both`, or empty."""

    @property
    def intensity(self) -> float | None:
        """Operations a byte."""
        if self.operations is None or not self.bytes_moved:
            return None
        return self.operations / self.bytes_moved


def kinds_of(anatomy: Anatomy) -> list[KindTotal]:
    """The kinds of operators, the one that takes most time first."""
    groups: dict[str, list[OperatorTime]] = {}
    for one in anatomy.operators:
        groups.setdefault(one.kind, []).append(one)
    return sorted((_total(kind, group) for kind, group in groups.items()), key=lambda one: -one.time_ns)


def _total(kind: str, group: Sequence[OperatorTime]) -> KindTotal:
    costs = [one.cost for one in group if one.cost is not None]
    limits = [one.limit_ns for one in group if one.limit_ns is not None]
    is_counted, is_limited = len(costs) == len(group), len(limits) == len(group)
    bounds = {one.bound for one in group if one.bound is not None}
    return KindTotal(
        kind=kind,
        count=len(group),
        share=sum(one.share for one in group),
        time_ns=sum(one.time_ns.value for one in group),
        operations=sum(cost.operations for cost in costs) if is_counted else None,
        bytes_moved=sum(cost.bytes_moved for cost in costs) if is_counted else None,
        limit_ns=sum(limits) if is_limited else None,
        bound=("both" if len(bounds) > 1 else next(iter(bounds), "")) if is_limited else "",
    )


def kind_rows(anatomy: Anatomy, most: int = 12) -> list[tuple[str, ...]]:
    """One row a kind under `KIND_HEADING`; what is beyond `most` is one row."""
    kinds = kinds_of(anatomy)
    rows = [_kind_row(one) for one in kinds[:most]]
    if len(kinds) > most:
        rest = kinds[most:]
        count, share, time_ns = (sum(getattr(one, name) for one in rest) for name in ("count", "share", "time_ns"))
        others = "1 other" if len(rest) == 1 else f"{len(rest)} others"
        rows.append((others, f"{count}", format_fraction(share), format_duration(time_ns), *[MISSING] * 4))
    return rows


def _kind_row(one: KindTotal) -> tuple[str, ...]:
    counted = one.operations is not None
    return (
        one.kind,
        f"{one.count}",
        format_fraction(one.share),
        format_duration(one.time_ns),
        format_number(one.intensity) if one.intensity is not None else MISSING if counted else "not counted",
        operations_rate_text(one.operations / one.time_ns * 1e9) if one.operations and one.time_ns else MISSING,
        format_duration(one.limit_ns) if one.limit_ns is not None else MISSING,
        one.bound or MISSING,
    )


def layer_rows(anatomy: Anatomy) -> list[tuple[str, ...]]:
    """One row a layer under `LAYER_HEADING`; none where a call could not be cut."""
    split = anatomy.split
    if split is None:
        return []
    whole = split.whole_ns.value
    rows = []
    for name, field in _LAYERS:
        layer: Estimate = getattr(split, field)
        share = "cannot tell" if _is_nothing(layer) else format_fraction(layer.value / whole)
        rows.append((name, duration_text(layer), share))
    return [*rows, ("a call", duration_text(split.whole_ns), "100 %")]


def _is_nothing(layer: Estimate) -> bool:
    return layer.low is None or layer.low <= 0


def operations_text(count: float) -> str:
    """A number of operations: `19.3 kflop`, `0.97 Gflop`."""
    return f"{_scaled(count)}flop"


def operations_rate_text(per_s: float) -> str:
    """Operations a second: `64.3 Gflop/s`."""
    return f"{_scaled(per_s)}flop/s"


def bytes_rate_text(per_s: float) -> str:
    """Bytes a second: `11.0 GB/s`."""
    return f"{format_size(per_s)}/s"


def _scaled(count: float) -> str:
    for limit, divisor, prefix in ((1e3, 1.0, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M"), (1e12, 1e9, "G")):
        if abs(count) < limit:
            return f"{format_number(count / divisor)} {prefix}"
    return f"{format_number(count / 1e12)} T"


def title_of(anatomy: Anatomy) -> str:
    """`batch 1, 1 thread`, with the runtime in front."""
    threads = plural(anatomy.deployment.session.threads, "thread")
    return f"{anatomy.deployment.runtime}, batch {anatomy.batch_rows}, {threads}"


def inside_facts(anatomy: Anatomy) -> list[tuple[str, str]]:
    """What is known of a call beside its operators."""
    uncounted = [f"{one.kind} ({one.count})" for one in kinds_of(anatomy) if one.operations is None]
    facts = [
        ("operators", f"{len(anatomy.operators)}, {duration_text(anatomy.operators_ns)} with the profiler watching"),
        ("limited by", _bounds_text(anatomy)),
        ("profiled", f"{plural(anatomy.profiled_calls, 'call')}, to {format_duration(anatomy.resolution_ns)}"),
        ("arena", _memory_text(anatomy.arena_bytes, "held")),
        ("in use", _memory_text(anatomy.peak_in_use_bytes, "at most")),
        ("bandwidth of", anatomy.level or ""),
        ("not counted", ", ".join(uncounted)),
    ]
    return [(name, value) for name, value in facts if value] if anatomy.operators else []


def _bounds_text(anatomy: Anatomy) -> str:
    """The shares of the operators' time by what limits them."""
    shares = {"compute": 0.0, "memory": 0.0, "": 0.0}
    for one in anatomy.operators:
        shares[one.bound or ""] += one.share
    words = {"compute": "compute", "memory": "memory", "": "not told"}
    return ", ".join(f"{words[bound]} {format_fraction(share, 0)}" for bound, share in shares.items() if share > 0)


def _memory_text(size: int | None, what: str) -> str:
    return f"{format_size(size)} {what}" if size else ""


def cost_facts(cost: GraphCost | None) -> list[tuple[str, str]]:
    """What one row costs by the graph as it came."""
    if cost is None:
        return []
    left_out = ", ".join(f"{kind} ({count})" for kind, count in cost.uncounted.items())
    counted = [
        ("operations of a row", operations_text(cost.operations)),
        ("bytes moved", format_size(cost.bytes_moved)),
        ("weights", format_size(cost.weight_bytes)),
    ]
    return [*(counted if cost.bytes_moved else []), *([("not counted", left_out)] if left_out else [])]


def speed_facts(profile: Profile, best: SpeedPoint | None) -> list[tuple[str, str]]:
    """The inference speed in bytes per second, where a row is of a fixed size."""
    if best is None:
        return []
    sizes = (("in", profile.input_bytes_per_item), ("out", profile.output_bytes_per_item))
    return [
        (f"bytes {way}", f"{bytes_rate_text(size * best.items_per_s.value)} ({format_size(size)} an item)")
        for way, size in sizes
        if size is not None
    ]


def cold_rows(cold: ColdStart | None) -> list[tuple[str, str]]:
    """The steps to the first answer."""
    if cold is None:
        return []
    return [
        ("Python and our modules", duration_text(cold.process_ns)),
        ("importing the runtime", duration_text(cold.library_ns)),
        ("loading the model", duration_text(cold.load_ns)),
        ("first call", duration_text(cold.first_ns)),
        ("to the first answer", duration_text(cold.total_ns)),
        ("a later call", duration_text(cold.warm_ns)),
    ]


def memory_rows(memory: MemoryUse | None) -> list[tuple[str, str]]:
    """What a process holds, step by step."""
    if memory is None:
        return []
    largest = f"a call of {plural(memory.largest_batch_rows, 'row')} adds"
    return [
        ("Python and the runtime", format_size(memory.runtime_bytes)),
        ("the model adds", format_size(memory.model_bytes)),
        ("the first call adds", format_size(memory.call_bytes)),
        *([(largest, format_size(memory.batch_bytes))] if memory.largest_batch_rows > 1 else []),
        ("peak", format_size(memory.peak_bytes)),
    ]


def peak_rows(peaks: Peaks | None) -> list[tuple[str, ...]]:
    """Under `PEAK_HEADING`."""
    if peaks is None:
        return []
    rows = []
    for threads in sorted({one.threads for one in peaks.compute}):
        compute = [peaks.compute_per_s(name, threads) for name in _PEAK_PRECISIONS]
        moved = [peaks.bytes_per_s(level, threads) for level in ("L2", "L3", "memory")]
        rows.append((
            f"{threads}",
            *(MISSING if one is None else operations_rate_text(one) for one in compute),
            *(MISSING if one is None else bytes_rate_text(one) for one in moved),
        ))  # fmt: skip
    return rows


PEAK_HEADING = ("threads", *_PEAK_PRECISIONS, "L2", "L3", "memory")


def overhead_text(anatomy: Anatomy) -> str:
    """The share of a call that is not computing."""
    return fraction_text(anatomy.split.overhead) if anatomy.split is not None else MISSING
