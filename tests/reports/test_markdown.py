"""Against golden files, and against what Markdown makes of hostile names."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.reports import chats, samples, scenarios

from modeldyno.reports.markdown import run_markdown, search_markdown

GOLDEN = Path(__file__).parent / "golden"
TEXTS: dict[str, Callable[[], str]] = {
    "run": lambda: run_markdown(samples.run()),
    "run-server-valid": lambda: run_markdown(scenarios.valid_server()),
    "run-chat": lambda: run_markdown(chats.run_streamed()),
    "search": lambda: search_markdown(samples.search()),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_document_is_the_golden_one(name: str) -> None:
    text, path = TEXTS[name](), GOLDEN / f"{name}.md"
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", TEXTS)
def test_every_row_of_a_table_has_the_cells_of_its_heading(name: str) -> None:
    tables = re.findall(r"(?:^\|.*\|$\n?)+", TEXTS[name](), re.MULTILINE)
    assert tables
    for table in tables:
        assert 1 == len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}), table


def test_the_verdict_comes_first() -> None:
    assert run_markdown(samples.run()).startswith("# digits under load: FAIL\n\n**An objective failed.**")


@pytest.mark.parametrize(
    ("name", "kept"),
    (
        ("<script>alert(1)</script>", r"\<script\>"),
        ("a|b", r"a\|b"),
        ("[x](javascript:alert(1))", r"[x\](javascript"),
        ("a\n# title", r"a \# title"),
        ("`code`", r"\`code\`"),
    ),
)
def test_a_name_becomes_no_markup(name: str, kept: str) -> None:
    text = search_markdown(replace(samples.search(), model=samples.model(name)))
    assert kept in text.splitlines()[0]


def test_a_run_without_numbers_is_a_document_too() -> None:
    bare = replace(
        samples.run(),
        summary=None,
        verdict=None,
        effective=None,
        server=None,
        metrics=(),
        floor=None,
        low_load=None,
        queueing=None,
    )
    text = run_markdown(replace(bare, state="interrupted"))
    assert "CANNOT TELL" in text
    assert "None" not in text


def test_an_invalid_measurement_says_why() -> None:
    run = samples.run()
    assert run.verdict is not None
    verdict = replace(run.verdict, measurement="invalid", reasons=("the client was late",))
    assert "- not valid: the client was late" in run_markdown(replace(run, verdict=verdict))
