import numpy as np
from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.requests import Outcome
from modeldyno.records.workload import KindShare, RowShare, Workload
from modeldyno.reports.kinds import kind_rows
from modeldyno.reports.markdown import run_markdown
from modeldyno.reports.page.run_page import run_page
from modeldyno.reports.terminal.run import run_text
from modeldyno.stats.summary import summarise

WORKLOAD = samples.run(samples.requests()).requested
MIX = replace(
    WORKLOAD,
    kind_mix=(KindShare(kind="a.http", share=0.75), KindShare(kind="b.http", share=0.25)),
)


def rows_of_two_kinds() -> np.ndarray:
    rows = samples.requests(count=2_000)
    rows["kind"] = np.arange(len(rows)) % 4 == 3
    rows["done_ns"] += np.where(rows["kind"] == 1, 1_000_000_000, 0)
    return rows


def kinds_of(workload: Workload, rows: np.ndarray) -> dict[str, int]:
    return {one.kind: one.requests for one in summarise(rows, workload, ()).kinds}


def test_kinds_are_summarised_apart() -> None:
    rows = rows_of_two_kinds()
    rows["outcome"][np.flatnonzero(rows["kind"] == 1)[-5:]] = Outcome.TIMEOUT
    first, second = summarise(rows, MIX, ()).kinds

    assert ("a.http", "b.http") == (first.kind, second.kind)
    assert first.response_time.p50_ns is not None
    assert second.response_time.p50_ns is not None
    assert 0.9e9 < second.response_time.p50_ns.value - first.response_time.p50_ns.value < 1.1e9
    assert ({}, {"timeout": 5}) == (first.failures, second.failures)
    assert second.requests - 5 == second.answered


def test_sizes_of_a_mix_are_kinds_too_and_a_load_of_one_size_has_none() -> None:
    rows = samples.requests(count=400)
    rows["rows"] = np.where(np.arange(len(rows)) % 2, 1, 32)
    mix = (RowShare(rows=1, share=0.5), RowShare(rows=8, share=0.0), RowShare(rows=32, share=0.5))
    measured = int(rows["measured"].sum())

    assert {"1 row": measured // 2, "32 rows": measured // 2} == kinds_of(replace(WORKLOAD, row_mix=mix), rows)
    assert {} == kinds_of(WORKLOAD, rows)


def test_every_report_shows_them() -> None:
    rows = rows_of_two_kinds()
    run = samples.run(rows)
    run = replace(run, requested=MIX, summary=summarise(rows, MIX, ()))
    assert run.summary is not None
    p50 = kind_rows(run.summary)[1][3].partition(" ")[0]

    assert all(p50 in text for text in (run_text(run), run_markdown(run), run_page(run, rows)))
    assert "response time by kind" in run_text(run)
    assert "a.http 75.0 %, b.http 25.0 %" in run_text(run)
