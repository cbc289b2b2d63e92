"""Whether a run can be believed: each check returns a reason with its numbers and what to change, or None.

The checks are about the instrument and the run, not about the server: a slow or failing server is a result. The
exception is steadiness, without which there is no result. Thresholds let a virtual machine with two busy cores and
a hiccup of 10 ms now and then pass, and a starved client fail; each states its own.
"""

import math

import numpy as np

from modeldyno.records.observation import ServerUse
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Floor, Summary
from modeldyno.records.workload import EffectiveWorkload, Workload
from modeldyno.stats.summary import rate_of
from modeldyno.units import format_duration, format_fraction, format_rate

LEAST_REQUESTS = 50
RATE_TOLERANCE = 0.01
MOST_CLIENT_CPU = 0.9
_LATE_NS = 1_000_000
_MOST_LATE_SHARE = 0.05
_MEDIAN_LATENESS_NS = 250_000
_MATERIAL_SHARE = 0.1
_FLOOR_FACTOR = 2
_NOTED_STOLEN = 0.005
_WHOLLY = 0.995
_MOST_KINDS_TOLD = 3
_NOTED_LATE_NS = 250_000


def check_count(rows: np.ndarray) -> str | None:
    """Enough requests ended to say anything at all."""
    ended = int((~np.isin(rows["outcome"], (Outcome.INTERRUPTED, Outcome.NOT_SENT))).sum())
    if ended >= LEAST_REQUESTS:
        return None
    if len(rows) >= LEAST_REQUESTS:
        return f"only {ended:,} of {len(rows):,} requests were measured: the others were never sent, or cut off"
    return f"only {ended} requests were measured; plan {LEAST_REQUESTS} or more (--requests, or a longer run)"


def check_not_sent(rows: np.ndarray) -> str | None:
    """Every planned request was sent."""
    missing = int((rows["outcome"] == Outcome.NOT_SENT).sum())
    if not missing:
        return None
    return (
        f"{missing:,} of {len(rows):,} planned requests were never sent: the client could not keep the schedule; "
        "lower the rate, or add workers or connections"
    )


def check_stamps(rows: np.ndarray) -> str | None:
    """No request was done before it was sent, or sent before it was planned."""
    answered = rows["outcome"] == Outcome.OK
    # A microsecond of grace: the plan is rounded to whole ns, and a timer may fire on the last tick before.
    early = int((answered & (rows["sent_ns"] < rows["planned_ns"] - 1000)).sum())
    backwards = int((answered & (rows["done_ns"] < rows["sent_ns"])).sum())
    if not early and not backwards:
        return None
    return (
        f"{early + backwards:,} of {int(answered.sum()):,} answered requests have impossible stamps ({early:,} sent "
        f"before their planned moment, {backwards:,} done before they were sent): the clock or the recorder is broken; "
        "measure again and report it if it stays"
    )


def check_rate(rows: np.ndarray) -> str | None:
    """The sends were spread over no more than 1 % more time than planned.

    Compared with the planned moments of the same requests, not with the nominal rate: a Poisson schedule of 1,000
    requests is 3 % off its nominal rate by chance, and that is no fault of the client.
    """
    sent = rows["sent_ns"] >= 0
    planned, delivered = rate_of(rows["planned_ns"][sent]), rate_of(rows["sent_ns"][sent])
    if sent.sum() < 2 or planned == 0:
        hint = "is the server there?" if (rows["outcome"] == Outcome.REFUSED).any() else "lower the rate"
        return f"no rate was delivered: fewer than two requests were sent; {hint}"
    shortfall = 1 - delivered / planned
    if shortfall <= RATE_TOLERANCE:
        return None
    return (
        f"{format_rate(delivered)} were sent of {format_rate(planned)} planned, {format_fraction(shortfall)} less: the "
        "client fell behind its plan; lower the rate, add workers, or free a core"
    )


def check_lateness(rows: np.ndarray, effective: EffectiveWorkload) -> str | None:
    """Requests left on time: the response times show the server, not the client.

    Lateness is charged to the response time in any case, so that it can only make the server look slower. It spoils
    a run when the median send is late by more than 250 µs and a tenth of the median service time, or when more than
    5 % are late by over 1 ms and that makes more than a tenth of the 99th percentile.
    """
    was_sent, was_answered = rows["sent_ns"] >= 0, rows["outcome"] == Outcome.OK
    if not was_sent.any():
        return None
    late_ns = (rows["sent_ns"] - rows["planned_ns"])[was_sent]
    service_ns = (rows["done_ns"] - rows["sent_ns"])[was_answered]
    median = float(np.median(late_ns))
    service = float(np.median(service_ns)) if len(service_ns) else 0.0
    if median > max(_MEDIAN_LATENESS_NS, _MATERIAL_SHARE * service):
        return (
            f"half of the sends were more than {format_duration(median)} late, {_against(service_ns)}: the client is "
            f"starved; {_remedy(effective)}"
        )
    share = float((late_ns > _LATE_NS).mean())
    if share <= _MOST_LATE_SHARE or not len(service_ns):
        return None
    response = float(np.quantile((rows["done_ns"] - rows["planned_ns"])[was_answered], 0.99))
    served = float(np.quantile(service_ns, 0.99))
    if response - served <= _MATERIAL_SHARE * response:
        return None
    return (
        f"{format_fraction(share)} of the sends were over 1 ms late, which moved p99 from {format_duration(served)} to "
        f"{format_duration(response)}: the client was held up; {_remedy(effective)}"
    )


def _against(service_ns: np.ndarray) -> str:
    if not len(service_ns):
        return "and nothing was answered"
    return f"against a median service time of {format_duration(float(np.median(service_ns)))}"


def _remedy(effective: EffectiveWorkload) -> str:
    """What to change when sends were late."""
    ordinary = "lower the rate, add workers or free a core"
    if effective.awake_fraction is not None:
        return f"{ordinary} (a process that stays awake shares its core with all else that wants it)"
    if not is_stolen_from(effective):
        return ordinary
    return f"a core that sleeps is taken by the hypervisor, so keep it awake (--awake), or {ordinary}"


def is_stolen_from(effective: EffectiveWorkload) -> bool:
    """Whether the hypervisor took enough of the processor time to be seen in the tail."""
    return effective.stolen_fraction is not None and effective.stolen_fraction > _NOTED_STOLEN


def _note_stolen(summary: Summary, effective: EffectiveWorkload, workload: Workload) -> str:
    """The processor time that the hypervisor took, and what there is to do about it."""
    lateness = summary.lateness
    late = lateness.p99_ns or lateness.p95_ns or lateness.p90_ns
    may_help = (
        effective.awake_fraction is None and not workload.is_closed and late is not None and late.value > _NOTED_LATE_NS
    )
    awake = "keep the core of the sender awake (--awake), " if may_help else ""
    share = format_fraction(effective.stolen_fraction or 0.0, 2)
    return (
        f"the hypervisor gave {share} of this machine's processor time to others (steal): stalls of milliseconds in "
        f"the tail may be its own; {awake}compare in turns, or measure on a machine with cores of its own"
    )


def check_client_cpu(effective: EffectiveWorkload) -> str | None:
    """The busiest sending process had CPU time to spare."""
    if effective.client_cpu_fraction <= MOST_CLIENT_CPU:
        return None
    return (
        f"the busiest sending process used {format_fraction(effective.client_cpu_fraction, 0)} of a core: the client "
        "is the bottleneck; lower the rate or add workers"
    )


def check_users(rows: np.ndarray, workload: Workload) -> str | None:
    """A closed loop made as many requests as asked."""
    if len(rows) >= workload.requests:
        return None
    return (
        f"the closed loop ended after {len(rows):,} of {workload.requests:,} requests, when the server had taken no "
        "connection for a whole time-out; is the server there?"
    )


def note_conditions(summary: Summary, effective: EffectiveWorkload, workload: Workload) -> list[str]:
    """What does not spoil a run but belongs beside its numbers."""
    notes = []
    if summary.answered == 0:
        notes.append("no request was answered: service times, the split and Little's law could not be checked")
    notes += _words_of_failures(summary, effective)
    if math.isnan(effective.client_cpu_fraction):
        notes.append("the client's CPU time could not be checked: it was not reported")
    elif effective.client_cpu_fraction > 0.7:
        notes.append(f"the busiest sending process used {format_fraction(effective.client_cpu_fraction, 0)} of a core")
    if is_stolen_from(effective):
        notes.append(_note_stolen(summary, effective, workload))
    if effective.awake_fraction is not None:
        notes.append(_note_awake(effective.awake_fraction, effective.workers))
    if effective.connections >= workload.max_connections and not workload.is_closed:
        notes.append(
            f"all {workload.max_connections} connections were open: some requests may have waited for one, "
            "which is charged to their response time"
        )
    if effective.reconnects:
        notes.append(f"{effective.reconnects:,} connections had to be opened anew during the run")
    if workload.is_closed:
        users = "1 user" if workload.concurrency == 1 else f"{workload.concurrency:,} users"
        notes.append(
            f"a closed loop of {users} asks for no rate and waits for slow answers before it asks "
            "again: its response times hide the queue that independent users would meet; rate and lateness are not "
            "judged; for objectives, offer a rate (--rate)"
        )
    elif workload.arrivals == "poisson" and RATE_TOLERANCE < _offset(summary, workload) <= _by_chance(summary):
        notes.append(
            f"{format_rate(summary.rate_delivered_per_s)} were delivered of a nominal "
            f"{format_rate(workload.rate_per_s)}: a Poisson schedule of this length is off by chance"
        )
    return notes


def _words_of_failures(summary: Summary, effective: EffectiveWorkload) -> list[str]:
    """What the server said of its errors, of the most frequent kinds."""
    kinds = sorted(summary.failures, key=lambda kind: -summary.failures[kind])
    told = [(kind, words) for kind in kinds if (words := effective.failures_said.get(kind))]
    return [f"the server said with {kind}: {words}" for kind, words in told[:_MOST_KINDS_TOLD]]


def _note_awake(fraction: float, workers: int) -> str:
    cores = "a core" if workers == 1 else f"{workers} cores"
    if fraction > _WHOLLY:
        return f"the client stayed awake, at the cost of {cores} (--awake)"
    return (
        f"the client stayed awake for {format_fraction(fraction, 0)} of the time, at the cost of {cores} (--awake): it "
        "runs at a real-time priority, and the kernel would have stopped it for the rest"
    )


def _by_chance(summary: Summary) -> float:
    """How far from its nominal rate a Poisson schedule may be by chance: four standard deviations of its count."""
    return 4 / math.sqrt(max(1, summary.requests))


def _offset(summary: Summary, workload: Workload) -> float:
    return abs(summary.rate_delivered_per_s / workload.rate_per_s - 1)


def check_floor(
    summary: Summary, workload: Workload, floor: Floor | None, *, workers: int, is_held_up: bool
) -> tuple[list[str], list[str]]:
    """Reasons and notes from the distance to what the instrument itself costs on this machine.

    A rate beyond the highest that the client has shown here spoils a run only when the client was really held up in
    it (`is_held_up`): the floor was measured on another day, and with one sending process.
    """
    if workload.protocol == "null":
        return [], []  # it is itself what the instrument costs
    if floor is None:
        return [], ["what the instrument itself costs here is not known: dyno doctor measures it"]
    reasons: list[str] = []
    notes: list[str] = []
    highest = floor.highest_rate_per_s * workers
    if workload.rate_per_s > highest > 0:
        beyond = (
            f"{format_rate(workload.rate_per_s)} were asked, more than the {format_rate(highest)} that this client has "
            "been shown to deliver on time here (dyno doctor)"
        )
        (reasons if is_held_up else notes).append(f"{beyond}; lower the rate or add workers" if is_held_up else beyond)
    near = [
        f"{name} {format_duration(measured.value)} against {format_duration(least.value)}"
        for name, measured, least in (
            ("p50", summary.response_time.p50_ns, floor.response_time.p50_ns),
            ("p99", summary.response_time.p99_ns, floor.response_time.p99_ns),
        )
        if measured is not None and least is not None and measured.value <= _FLOOR_FACTOR * least.value
    ]
    if near:
        notes.append(
            f"the response time is within {_FLOOR_FACTOR}× of the floor of this machine ({', '.join(near)}): most of "
            "what was measured is the instrument and the loopback, and the server may be faster than it looks"
        )
    return reasons, notes


def note_server(server: ServerUse | None) -> list[str]:
    """What held the server back and is not its own doing."""
    if server is None or not server.throttled_ns:
        return []
    held_ns, periods = format_duration(server.throttled_ns), server.throttled_periods
    note = (
        f"the cgroup's CPU quota held the server back for {held_ns} in {periods:,} periods: "
        "its tail is the quota's; raise the quota or lower the rate"
    )
    return [note]
