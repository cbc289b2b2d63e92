from msgspec.structs import replace
from tests.reports import profiles, samples

from modeldyno.reports.profile_markdown import profile_markdown


def test_the_findings_come_first_and_the_tables_after_them() -> None:
    text = profile_markdown(profiles.cut_open())
    lines = text.splitlines()
    assert lines[0].startswith("# digits, in process: 412 k [398, 429] items/s")
    headings = (
        "**Weak**",
        "**Strong**",
        "## Every measured point",
        "## Inside a call of onnxruntime, batch 1, 1 thread",
        "## The first call",
        "## Memory",
        "## What this machine",
    )
    places = [text.index(heading) for heading in headings]
    assert sorted(places) == places


def test_a_name_cannot_become_markup() -> None:
    profile = profiles.cut_open()
    hostile = replace(profile, model=replace(profile.model, name="<b>*x*|y"))
    assert "# \\<b\\>\\*x\\*\\|y, in process" in profile_markdown(hostile)


def test_an_empty_profile_says_that_nothing_was_measured() -> None:
    text = profile_markdown(replace(samples.profile(), points=(), refused=()))
    assert "nothing was measured" in text
    assert "## Every" not in text
