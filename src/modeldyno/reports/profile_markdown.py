"""A profile as Markdown: strengths and weaknesses first, tables after them."""

from modeldyno.records.anatomy import Anatomy
from modeldyno.records.speed import Profile
from modeldyno.reports.anatomy import (
    KIND_HEADING,
    LAYER_HEADING,
    PEAK_HEADING,
    cold_rows,
    cost_facts,
    inside_facts,
    kind_rows,
    layer_rows,
    memory_rows,
    peak_rows,
    speed_facts,
    title_of,
)
from modeldyno.reports.estimates import duration_text, items_text, plural, ratio_text
from modeldyno.reports.findings import fastest_first
from modeldyno.reports.markdown_blocks import bullets, document, escaped, facts, table
from modeldyno.reports.profile_findings import FINDING_TITLES, profile_findings
from modeldyno.reports.wording import moment


def profile_markdown(profile: Profile) -> str:
    """The whole profile."""
    ranked = fastest_first(profile.points)
    best = ranked[0] if ranked else None
    speed = f"{items_text(best.items_per_s)} items/s" if best is not None else "nothing was measured"
    found = profile_findings(profile)
    environment = profile.environment
    blocks = [
        f"# {escaped(profile.model.name)}, in process: {escaped(speed)}",
        *(
            f"**{title}**\n\n{bullets([one.text for one in found if one.kind == kind])}"
            for kind, title in FINDING_TITLES.items()
            if any(one.kind == kind for one in found)
        ),
        facts(
            [
                ("bundle", profile.bundle or ""),
                ("data", profile.data or "made up from the signature"),
                ("measured", moment(profile.started_at) + ("" if profile.state == "complete" else ", interrupted")),
                ("machine", f"{environment.cpu_model}, {plural(environment.cores, 'core')}"),
                *speed_facts(profile, best),
                *cost_facts(profile.cost),
            ]
        ),
        *_points(profile),
        *(block for anatomy in profile.anatomies for block in _anatomy(anatomy)),
        *_first_call(profile),
    ]
    peaks = peak_rows(profile.peaks)
    if peaks:
        blocks += ["## What this machine does at most", table(PEAK_HEADING, peaks)]
    if profile.refused:
        blocks += ["## Left out", bullets(profile.refused)]
    return document(blocks)


def _points(profile: Profile) -> list[str]:
    rows = [
        (
            one.deployment.label,
            items_text(one.items_per_s),
            duration_text(one.batch_time_ns),
            ratio_text(one.ratio_to_best),
        )
        for one in fastest_first(profile.points)
    ]
    heading = ("deployment", "items/s", "time of a call", "to the best")
    return ["## Every measured point", table(heading, rows)] if rows else []


def _anatomy(anatomy: Anatomy) -> list[str]:
    layers, kinds = layer_rows(anatomy), kind_rows(anatomy)
    if not layers and not kinds:
        return []
    return [
        f"## Inside a call of {escaped(title_of(anatomy))}",
        table(LAYER_HEADING, layers) if layers else "",
        table(KIND_HEADING, kinds) if kinds else "",
        facts(inside_facts(anatomy)),
    ]


def _first_call(profile: Profile) -> list[str]:
    if profile.cold_start is None or profile.memory is None:
        return []
    return [
        f"## The first call ({plural(profile.cold_start.processes, 'run')} in a process of its own)",
        table(("step", "time"), cold_rows(profile.cold_start)),
        "## Memory of such a process",
        table(("what", "resident"), memory_rows(profile.memory)),
    ]
