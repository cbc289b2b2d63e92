"""A profile as text: in-process speed of each deployment and batch size, the fastest first."""

import shlex

from modeldyno.records.speed import Profile
from modeldyno.reports.estimates import number_text
from modeldyno.reports.findings import fastest_first
from modeldyno.reports.terminal.layout import entries, entry, joined
from modeldyno.reports.terminal.place import machine_lines, model_line
from modeldyno.reports.terminal.speed import call_time, speed_table


def profile_text(profile: Profile) -> str:
    """The fastest point first, then all of them, then what was refused."""
    ranked = fastest_first(profile.points)
    lines = [*_fastest_line(profile), "", *model_line(profile.model), *machine_lines(profile.environment), ""]
    if ranked:
        lines += speed_table(
            ranked, is_best=lambda point: point is ranked[0], last_heading="time of a call", last_cell=call_time
        )
    following = f"next       dyno tune {shlex.quote(profile.model.path)} --data DATA"
    return joined([*lines, "", *entries("refused", profile.refused), "", following])


def _fastest_line(profile: Profile) -> list[str]:
    ranked = fastest_first(profile.points)
    stopped = " (interrupted: only what was measured so far)" if profile.state == "interrupted" else ""
    if not ranked:
        return entry("fastest", f"nothing was measured{stopped}")
    best = ranked[0]
    ties = sum(point.standing == "tie" for point in ranked[1:])
    tied = f", {ties} tied with it" if ties else ""
    return entry("fastest", f"{best.deployment.label}: {number_text(best.items_per_s)} items/s{tied}{stopped}")
