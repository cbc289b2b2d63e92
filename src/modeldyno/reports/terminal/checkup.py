"""The state of the machine and of the instrument on it, as text."""

from collections.abc import Sequence

from modeldyno.records.doctor import Checkup, SenderLateness
from modeldyno.records.environment import Environment
from modeldyno.records.run import Floor
from modeldyno.reports.estimates import MISSING, plural
from modeldyno.reports.terminal.layout import entries, entry, joined, table
from modeldyno.reports.terminal.peaks import peak_lines
from modeldyno.units import format_duration, format_fraction, format_number, format_rate, format_size


def checkup_text(checkup: Checkup) -> str:
    """The findings first, then the machine, the runtimes and the instrument's floor."""
    lines = [
        *_findings(checkup),
        "",
        *_machine(checkup.environment),
        "",
        "runtimes",
        *table("llw", [(one.name, one.version or "not installed", one.detail) for one in checkup.runtimes]),
        "",
        *_floors(checkup.floors),
        "",
        *_lateness(checkup.lateness),
        *_steal(checkup.stolen_fraction),
        "",
        *peak_lines(checkup.peaks),
    ]
    return joined(lines)


def _findings(checkup: Checkup) -> list[str]:
    if not checkup.findings:
        return entry("OK", "nothing found that would disturb a measurement here")
    return [
        *entry("ATTENTION", f"{plural(len(checkup.findings), 'thing')} would disturb a measurement here:"),
        *entries("", checkup.findings),
    ]


def _machine(environment: Environment) -> list[str]:
    quota = "no limit" if environment.cores_quota is None else format_number(environment.cores_quota)
    limit = environment.memory_limit_bytes
    memory = format_size(environment.memory_bytes)
    cores = (
        f"{environment.cores} used: host {environment.cores_host}, affinity {environment.cores_affinity}, quota {quota}"
    )
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(environment.libraries.items()))
    return [
        *entry("processor", environment.cpu_model),
        *entry("flags", " ".join(environment.cpu_flags) or MISSING),
        *entry("cores", cores),
        *entry("governor", environment.governor or "not shown by this machine"),
        *entry("memory", memory if limit is None else f"{memory}, limited to {format_size(limit)}"),
        *entry("system", f"{environment.operating_system}, kernel {environment.kernel}, Python {environment.python}"),
        *entry("libraries", libraries),
        *entry("server", "compiled to machine code" if environment.is_compiled else "interpreted"),
        *entry("load", f"{format_number(environment.load_average_1min, 2)} in the last minute"),
    ]


def _floors(floors: Sequence[Floor]) -> list[str]:
    if not floors:
        return entry("floor", "not measured")
    rates = {format_rate(floor.rate_per_s) for floor in floors}
    head = ("protocol", "p50", "p99", "max", "late p50", "late p99", "client CPU", "highest rate")
    rows: list[tuple[str, ...]] = [head]
    for floor in floors:
        response, late = floor.response_time, floor.lateness
        stamps = (response.p50_ns, response.p99_ns, response.max_ns, late.p50_ns, late.p99_ns)
        rows.append(
            (
                floor.protocol,
                *(MISSING if one is None else format_duration(one.value) for one in stamps),
                format_duration(floor.client_cpu_ns_per_request),
                format_rate(floor.highest_rate_per_s) if floor.highest_rate_per_s else "none",
            )
        )
    return [
        f"floor of the instrument at {', '.join(sorted(rates))}, against a server that does nothing (null: no server)",
        *table("lrrrrrrr", rows),
        "",
        *entry("reading", "response time, lateness of sends and client CPU of a request; the highest rate is that of"),
        *entry("", "which one process sends 99.9 % within 1 ms of their moment"),
    ]


def _lateness(senders: Sequence[SenderLateness]) -> list[str]:
    if not senders:
        return []
    rows: list[tuple[str, ...]] = [("sender", "over 1 ms late", "p50", "p99", "max", "steal")]
    for one in senders:
        stamps = (one.lateness.p50_ns, one.lateness.p99_ns, one.lateness.max_ns)
        rows.append(
            (
                "stays awake (--awake)" if one.awake else "sleeps",
                format_fraction(one.late_fraction, 2),
                *(MISSING if stamp is None else format_duration(stamp.value) for stamp in stamps),
                MISSING if one.stolen_fraction is None else format_fraction(one.stolen_fraction, 1),
            )
        )
    return [
        f"lateness of a sender at {format_rate(senders[0].rate_per_s)}, without any server",
        *table("lrrrrr", rows),
        "",
    ]


def _steal(fraction: float | None) -> list[str]:
    if fraction is None:
        return []
    return entry("steal", f"{format_fraction(fraction)} of the processor time of all cores went to others meanwhile")
