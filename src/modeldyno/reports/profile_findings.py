"""A profile in words: what is strong, what is weak and what to do about it, where time goes, what is unclear."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.base import Estimate
from modeldyno.records.peaks import PeakPrecision, Peaks
from modeldyno.records.speed import Profile, SpeedPoint
from modeldyno.reports.anatomy import kinds_of
from modeldyno.reports.estimates import fraction_text, plural, ratio_text
from modeldyno.stats.blocks import paired_ratio
from modeldyno.units import format_duration, format_fraction, format_number

FindingKind = Literal["weak", "where", "strong", "unclear"]
FINDING_TITLES: dict[FindingKind, str] = {
    "weak": "Weak",
    "where": "Where the time goes",
    "strong": "Strong",
    "unclear": "Cannot tell",
}
"""What stands above those of a kind, in the order to tell them."""
MUCH, LITTLE = 0.3, 0.1
"""Shares of a call that are worth a word, and that are not."""
_WIDE = 0.4
"""An interval of a share that is wider than this tells nothing."""
_FAR = 3.0
"""Times the least time that the machine allows."""
_NEAR = 1.6
_UNSTEADY = 2.0
"""Ends of an interval that are further apart than this tell nothing."""
_GAIN = 1.1
_SHORTEST_NS = 100.0
"""Nothing that should take less is worth holding against the peaks: no kernel starts that fast."""
_MUCH_STOLEN = 0.05
_BUSY = 0.75
"""Runnable processes a core, before this one started."""
_QUANTISING = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
_MOVING = frozenset(
    {"Transpose", "Concat", "Split", "Slice", "Gather", "Cast", "Pad", "Expand", "ReorderInput", "ReorderOutput"}
)


class Finding(NamedTuple):
    """One sentence."""

    kind: FindingKind
    text: str


def profile_findings(profile: Profile) -> list[Finding]:
    """The weak first, then where the time goes, the strong, and what cannot be told."""
    found = [*_doubts(profile)]
    for anatomy in profile.anatomies:
        found += [
            *_overhead(anatomy, can_batch=profile.model.signature.has_batch_dimension),
            *_operators(anatomy, profile.peaks),
            *_distance(anatomy),
        ]
    found += [*_batching(profile), *_scaling(profile), *_first_call(profile)]
    order = {"weak": 0, "where": 1, "strong": 2, "unclear": 3}
    return sorted(dict.fromkeys(found), key=lambda one: order[one.kind])


def _doubts(profile: Profile) -> Iterator[Finding]:
    environment = profile.environment
    if environment.load_average_1min > _BUSY * environment.cores:
        load = format_number(environment.load_average_1min, 2)
        yield Finding(
            "unclear", f"the machine was busy: load {load} on {plural(environment.cores, 'core')} before it started"
        )
    stolen = max((one.stolen_fraction or 0 for one in profile.anatomies), default=0)
    if stolen > _MUCH_STOLEN:
        yield Finding("unclear", f"the hypervisor took {format_fraction(stolen, 0)} of the time inside the calls")
    for note in dict.fromkeys(note for one in profile.anatomies for note in one.notes):
        yield Finding("unclear", note)


def _at(anatomy: Anatomy) -> str:
    return f"at batch {anatomy.batch_rows}, {plural(anatomy.deployment.session.threads, 'thread')}"


def _overhead(anatomy: Anatomy, *, can_batch: bool) -> Iterator[Finding]:
    if anatomy.split is None:
        return
    share = anatomy.split.overhead
    if share.low is None or share.high is None or share.high - share.low > _WIDE:
        yield Finding("unclear", f"how much of a call is overhead {_at(anatomy)}: {_share_text(share)}")
    elif share.low > MUCH:
        advice = ("batch" if anatomy.batch_rows == 1 else "batch more") if can_batch else "it cannot batch as exported"
        yield Finding("weak", f"{_share_text(share)} of a call is overhead {_at(anatomy)}: {advice}")
    elif share.high < LITTLE:
        yield Finding("strong", f"nearly all of a call is computing {_at(anatomy)}: overhead {_share_text(share)}")


def _share_text(share: Estimate) -> str:
    """A share below nothing is noise, and shown as nothing."""
    low, high = (None if one is None else min(1.0, max(0.0, one)) for one in (share.low, share.high))
    return fraction_text(Estimate(value=min(1.0, max(0.0, share.value)), low=low, high=high))


def _operators(anatomy: Anatomy, peaks: Peaks | None) -> Iterator[Finding]:
    kinds = kinds_of(anatomy)
    if not kinds:
        return
    shares = {"memory": 0.0, "compute": 0.0}
    for one in anatomy.operators:
        if one.bound is not None:
            shares[one.bound] += one.share
    bound = max(shares, key=lambda name: shares[name])
    if shares[bound] > 0.5:
        ridge = _ridge(peaks, anatomy)
        edge = (
            "" if ridge is None else f" {'below' if bound == 'memory' else 'above'} {format_number(ridge, 2)} flop/byte"
        )
        share = format_fraction(shares[bound], 0)
        kind: FindingKind = "weak" if bound == "memory" else "strong"
        yield Finding(kind, f"{bound}-bound {_at(anatomy)}: {share} of the operators' time is in operators{edge}")
    top = kinds[0]
    count = f"{top.count} of them" if top.count > 1 else "one of them"
    if top.share > MUCH and len(kinds) > 1:
        yield Finding(
            "where", f"{top.kind} ({count}) takes {format_fraction(top.share, 0)} of the operators' time {_at(anatomy)}"
        )
    for kinds_meant, words in ((_QUANTISING, "unfused quantise and dequantise"), (_MOVING, "moving data")):
        share_of = sum(one.share for one in kinds if one.kind in kinds_meant)
        if share_of > 0.2:
            yield Finding("weak", f"{format_fraction(share_of, 0)} of the operators' time {_at(anatomy)} is {words}")


def _ridge(peaks: Peaks | None, anatomy: Anatomy) -> float | None:
    """Where products turn from memory- to compute-bound, in operations a byte; of mixed precisions there are two."""
    used = {one.precision for one in anatomy.operators} & set(get_args(PeakPrecision))
    if peaks is None or anatomy.level is None or len(used) > 1:
        return None
    threads, precision = anatomy.deployment.session.threads, next(iter(used), "fp32")
    compute, moved = peaks.compute_per_s(precision, threads), peaks.bytes_per_s(anatomy.level, threads)
    return compute / moved if compute and moved else None


def _distance(anatomy: Anatomy) -> Iterator[Finding]:
    """How many times the least time that the peaks allow; judged by what is least disturbed by the profiler."""
    if anatomy.operators_ns is None or anatomy.level is None:
        return
    limits = [one.limit_ns for one in anatomy.operators if one.limit_ns is not None]
    covered = sum(one.share for one in anatomy.operators if one.limit_ns is not None)
    if covered < 0.5:
        unknown = ", ".join(dict.fromkeys(one.kind for one in anatomy.operators if one.limit_ns is None))
        yield Finding("unclear", f"how far from the machine's limit a call is {_at(anatomy)}: no limit for {unknown}")
        return
    time_ns, watched = anatomy.operators_ns, anatomy.operators_ns
    split = anatomy.split
    if split is not None and split.computing_ns.high is not None and watched.low is not None:
        if watched.low > split.computing_ns.high:
            yield Finding("unclear", f"the times of operators {_at(anatomy)}: the profiler itself takes most of them")
        time_ns = min((watched, split.computing_ns), key=lambda one: one.value)
    least = sum(limits)
    if least < _SHORTEST_NS:
        return
    if time_ns.low is None or time_ns.high is None or time_ns.low <= 0:
        yield Finding("unclear", f"how far from the machine's limit a call is {_at(anatomy)}: too few blocks")
        return
    value, low, high = (one * covered / least for one in (time_ns.value, time_ns.low, time_ns.high))
    ratio = Estimate(value=value, low=low, high=high)
    text = f"computing takes {ratio_text(ratio)} the {format_duration(least)} that this machine's peaks allow"
    yield _judged_distance(low, high, f"{text} {_at(anatomy)}")


def _judged_distance(low: float, high: float, text: str) -> Finding:
    """What an interval of the distance to the limit says."""
    if high < 1:
        return Finding("unclear", f"{text}: the peaks are too low; dyno doctor --only-peaks renews them")
    if low > _FAR:
        return Finding("weak", text)
    if high < _NEAR:
        return Finding("strong", text)
    return Finding("unclear" if high > _UNSTEADY * low else "where", text)


def _batching(profile: Profile) -> Iterator[Finding]:
    """The gain of the best batch over the smallest, with one thread and one instance."""
    alone = [point for point in profile.points if point.deployment.session.threads * point.deployment.instances == 1]
    if len({point.batch_rows for point in alone}) < 2:
        return
    smallest = min(alone, key=lambda point: point.batch_rows)
    same = [point for point in alone if _computed_by(point) == _computed_by(smallest)]
    best = max(same, key=lambda point: point.items_per_s.value)
    if best is smallest:
        yield Finding("weak", f"batching gains nothing: batch {smallest.batch_rows} is the fastest a row")
        return
    gain = paired_ratio(best.blocks, smallest.blocks)
    yield _gained(gain, f"batch {best.batch_rows} computes {{}} the items/s of batch {smallest.batch_rows}")


def _scaling(profile: Profile) -> Iterator[Finding]:
    """The most threads and the most instances against one of each, at the batch where they do best."""
    for what, field in (("threads", "threads"), ("instances", "instances")):
        pairs = [(one, base) for one in profile.points if (base := _single(profile, one, field)) is not None]
        if not pairs:
            continue
        most = max(_count(one, field) for one, _ in pairs)
        wide = [(one, base) for one, base in pairs if _count(one, field) == most]
        one, base = max(wide, key=lambda pair: pair[0].items_per_s.value / pair[1].items_per_s.value)
        gain = paired_ratio(one.blocks, base.blocks)
        yield _gained(
            gain, f"{most} {what} compute {{}} the items/s of one at batch {one.batch_rows}, where they do best"
        )


def _count(point: SpeedPoint, field: str) -> int:
    return point.deployment.session.threads if field == "threads" else point.deployment.instances


def _single(profile: Profile, point: SpeedPoint, field: str) -> SpeedPoint | None:
    """The point that differs from this one only in having one of what this has several of."""
    other = "instances" if field == "threads" else "threads"
    if _count(point, field) == 1 or _count(point, other) != 1:
        return None
    for base in profile.points:
        is_single = _count(base, field) == _count(base, other) == 1
        if is_single and base.batch_rows == point.batch_rows and _computed_by(base) == _computed_by(point):
            return base
    return None


def _computed_by(point: SpeedPoint) -> tuple[str, str]:
    return point.deployment.runtime, point.deployment.artifact


def _gained(gain: Estimate, text: str) -> Finding:
    words = text.format(ratio_text(gain))
    if gain.low is not None and gain.low > _GAIN:
        return Finding("strong", words)
    if gain.high is not None and gain.high < _GAIN:
        return Finding("weak", f"{words}: it gains nothing")
    return Finding("unclear", words)


def _first_call(profile: Profile) -> Iterator[Finding]:
    cold = profile.cold_start
    if cold is None:
        return
    if cold.first_ns.value > 10 * cold.warm_ns.value and cold.first_ns.value > 1e6:
        times = format_number(cold.first_ns.value / cold.warm_ns.value, 2)
        yield Finding("weak", f"the first call takes {times}× a later one: send one before the traffic comes")
