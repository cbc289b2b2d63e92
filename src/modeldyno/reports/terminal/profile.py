"""A profile as text: strengths and weaknesses, speed, the inside of a call, the first call, memory, limits."""

import shlex

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.speed import Profile
from modeldyno.reports.anatomy import (
    KIND_HEADING,
    LAYER_HEADING,
    cold_rows,
    cost_facts,
    inside_facts,
    kind_rows,
    layer_rows,
    memory_rows,
    speed_facts,
    title_of,
)
from modeldyno.reports.estimates import number_text, plural
from modeldyno.reports.findings import fastest_first
from modeldyno.reports.profile_findings import FINDING_TITLES, profile_findings
from modeldyno.reports.terminal.layout import entries, entry, joined, table
from modeldyno.reports.terminal.peaks import peak_lines
from modeldyno.reports.terminal.place import machine_lines, model_line, typed
from modeldyno.reports.terminal.speed import call_time, speed_table

_SHOWN = 16
"""Points in the table; all of them are in the record and on the page."""


def profile_text(profile: Profile) -> str:
    """The fastest point and the findings first, then the tables, then what was refused."""
    lines = [
        *_fastest_line(profile),
        *_finding_lines(profile),
        "",
        *model_line(profile.model),
        *machine_lines(profile.environment),
        *(entry("data", profile.data) if profile.data else []),
        "",
        *_speed_lines(profile),
        "",
        *(line for anatomy in profile.anatomies for line in [*_anatomy_lines(anatomy), ""]),
        *_first_call_lines(profile),
        "",
        *peak_lines(profile.peaks),
        "",
        *entries("refused", profile.refused),
        "",
        f"next       {_next(profile)}",
    ]
    return joined(lines)


def _next(profile: Profile) -> str:
    if profile.bundle is not None:
        return f"dyno serve {shlex.quote(profile.bundle)}"
    return f"dyno tune {typed(profile.model)} --data DATA"


def _fastest_line(profile: Profile) -> list[str]:
    ranked = fastest_first(profile.points)
    stopped = " (interrupted: only what was measured so far)" if profile.state == "interrupted" else ""
    if not ranked:
        return entry("fastest", f"nothing was measured{stopped}")
    best = ranked[0]
    ties = sum(point.standing == "tie" for point in ranked[1:])
    tied = f", {ties} tied with it" if ties else ""
    return entry("fastest", f"{best.deployment.label}: {number_text(best.items_per_s)} items/s{tied}{stopped}")


def _finding_lines(profile: Profile) -> list[str]:
    found = profile_findings(profile)
    return [line for kind in FINDING_TITLES for line in entries(kind, [one.text for one in found if one.kind == kind])]


def _speed_lines(profile: Profile) -> list[str]:
    ranked = fastest_first(profile.points)
    if not ranked:
        return []
    lines = speed_table(
        ranked[:_SHOWN], is_best=lambda point: point is ranked[0], last_heading="time of a call", last_cell=call_time
    )
    if len(ranked) > _SHOWN:
        lines.append(f"  and {plural(len(ranked) - _SHOWN, 'slower point')}: --json or --report shows them")
    facts = [*speed_facts(profile, ranked[0]), *cost_facts(profile.cost)]
    return [*lines, "", *_fact_lines(facts)]


def _fact_lines(facts: list[tuple[str, str]]) -> list[str]:
    return table("ll", [(name, value) for name, value in facts]) if facts else []


def _anatomy_lines(anatomy: Anatomy) -> list[str]:
    layers, kinds = layer_rows(anatomy), kind_rows(anatomy)
    if not layers and not kinds:
        return []
    lines = [f"inside a call of {title_of(anatomy)}"]
    if layers:
        lines += [*table("ler", [LAYER_HEADING, *layers]), ""]
    if kinds:
        lines += [*table("lrrrrrrl", [KIND_HEADING, *kinds]), ""]
    return [*lines, *table("lw", inside_facts(anatomy))] if kinds else lines


def _first_call_lines(profile: Profile) -> list[str]:
    if profile.cold_start is None or profile.memory is None:
        return []
    count = profile.cold_start.processes
    return [
        f"the first call, in {'one process' if count == 1 else f'{count} processes'} started for it",
        *table("le", cold_rows(profile.cold_start)),
        "",
        "memory of such a process",
        *table("lr", memory_rows(profile.memory)),
    ]
