"""Every text against its golden file; `RENEW_GOLDEN=1 pytest tests/reports` writes them anew: read the diff."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.reports import capacities, chats, comparisons, conformances, evaluations, profiles, samples, scenarios

from modeldyno.records.search import Search
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.reports.terminal.capacity import capacity_text
from modeldyno.reports.terminal.checkup import checkup_text
from modeldyno.reports.terminal.comparison import comparison_text
from modeldyno.reports.terminal.conformance import conformance_text
from modeldyno.reports.terminal.evaluation import evaluation_text
from modeldyno.reports.terminal.layout import WIDTH
from modeldyno.reports.terminal.model import model_text
from modeldyno.reports.terminal.profile import profile_text
from modeldyno.reports.terminal.run import run_text
from modeldyno.reports.terminal.search import search_text

GOLDEN = Path(__file__).parent.parent / "golden"


def unlabelled() -> Search:
    bare = tuple(replace(one, quality=None, change=None, verdicts=()) for one in samples.assessed())
    return replace(samples.search(), labelled=False, assessed=bare, verdicts=samples.verdicts()[:1], advice=())


def without_data() -> Search:
    return replace(unlabelled(), data=None, rows=0, verdicts=())


def interrupted_early() -> Search:
    return replace(
        samples.search(),
        state="interrupted",
        points=(),
        finalists=(),
        winner=None,
        speedup=None,
        verdicts=(),
        why=(),
        bundle=None,
        report=None,
    )


def interrupted_before_the_proof() -> Search:
    return replace(samples.search(), state="interrupted", finalists=(), resumed=True)


def nothing_won() -> Search:
    return replace(samples.search(), winner=None, speedup=None, finalists=(), verdicts=(), why=(), bundle=None)


def invalid_proof() -> Search:
    search = samples.search()
    verdict = MeasurementVerdict(
        measurement="invalid",
        reasons=("412/s of 500/s were delivered: the client used 98 % of its processor; use more workers",),
    )
    finalists = tuple(replace(one, proof=replace(one.proof, verdict=verdict)) for one in search.finalists)
    return replace(search, finalists=finalists)


TEXTS: dict[str, Callable[[], str]] = {
    "search": lambda: search_text(samples.search()),
    "search-unlabelled": lambda: search_text(unlabelled()),
    "search-without-data": lambda: search_text(without_data()),
    "search-interrupted-early": lambda: search_text(interrupted_early()),
    "search-interrupted-before-the-proof": lambda: search_text(interrupted_before_the_proof()),
    "search-nothing-won": lambda: search_text(nothing_won()),
    "search-invalid-proof": lambda: search_text(invalid_proof()),
    "run": lambda: run_text(samples.run()),
    "run-not-finished": lambda: run_text(
        replace(
            samples.run(),
            state="running",
            summary=None,
            verdict=None,
            effective=None,
            server=None,
            metrics=(),
            floor=None,
        )
    ),
    "run-server-valid": lambda: run_text(scenarios.valid_server()),
    "run-server-missed": lambda: run_text(scenarios.missed_server()),
    "run-single-stream-short": lambda: run_text(scenarios.short_single_stream()),
    "run-multi-stream-valid": lambda: run_text(scenarios.valid_multi_stream()),
    "run-offline-failed": lambda: run_text(scenarios.failed_offline()),
    "run-chat": lambda: run_text(chats.run_streamed()),
    "run-completions": lambda: run_text(chats.run_in_one_piece()),
    "run-embeddings": lambda: run_text(chats.run_embeddings()),
    "profile": lambda: profile_text(samples.profile()),
    "profile-cut-open": lambda: profile_text(profiles.cut_open()),
    "profile-of-a-bundle": lambda: profile_text(profiles.bundled()),
    "profile-empty": lambda: profile_text(replace(samples.profile(), points=(), state="interrupted")),
    "model": lambda: model_text(samples.model()),
    "evaluation": lambda: evaluation_text(samples.evaluation()),
    **{
        f"evaluation-{name}": lambda make=make: evaluation_text(make())  # type: ignore[misc]
        for name, make in evaluations.ALL.items()
    },
    "evaluation-alone": lambda: evaluation_text(
        replace(samples.evaluation(), reference=None, change=None, objectives=(), verdicts=())
    ),
    "comparison-regression": lambda: comparison_text(comparisons.regression()),
    "comparison-equal": lambda: comparison_text(comparisons.equals()),
    "comparison-better": lambda: comparison_text(comparisons.better()),
    "comparison-undecided": lambda: comparison_text(comparisons.undecided()),
    "comparison-invalid": lambda: comparison_text(comparisons.invalid()),
    "capacity-found": lambda: capacity_text(capacities.found()),
    "capacity-ceiling": lambda: capacity_text(capacities.ceiling()),
    "capacity-lowest-fails": lambda: capacity_text(capacities.lowest_fails()),
    "capacity-client-limited": lambda: capacity_text(capacities.client_limited()),
    "capacity-out-of-budget": lambda: capacity_text(capacities.out_of_budget()),
    "capacity-interrupted": lambda: capacity_text(capacities.interrupted()),
    "conformance-kept": lambda: conformance_text(conformances.kept()),
    "conformance-broken": lambda: conformance_text(conformances.broken()),
    "conformance-skipped": lambda: conformance_text(conformances.skipped()),
    "conformance-lost": lambda: conformance_text(conformances.lost()),
    "checkup": lambda: checkup_text(samples.checkup()),
    "checkup-all-well": lambda: checkup_text(
        replace(samples.checkup(), floors=(), findings=(), lateness=(), stolen_fraction=None)
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_the_golden_one(name: str) -> None:
    text = TEXTS[name]() + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_fits_the_terminal_and_carries_no_escape_codes(name: str) -> None:
    text = TEXTS[name]()
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert text.replace("\n", "").isprintable()


def test_there_is_a_golden_file_for_each_text_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(TEXTS)


def test_the_verdict_comes_first_and_the_next_step_last() -> None:
    lines = search_text(samples.search()).splitlines()
    assert lines[0].startswith("PASS")
    assert lines[-1] == "next       dyno serve out/digits.bundle"


def test_the_next_step_can_be_pasted_into_a_shell() -> None:
    text = search_text(replace(samples.search(), bundle="out/my model's.bundle"))
    assert text.endswith("dyno serve 'out/my model'\"'\"'s.bundle'")


def test_a_name_cannot_move_the_cursor() -> None:
    assert "\x1b" not in search_text(samples.search("\x1b[2Jdigits"))


def test_a_server_that_reports_nothing_is_said_to() -> None:
    run = samples.run()
    assert run.summary is not None
    assert run.summary.split is not None
    split = replace(run.summary.split, server_queue_ns=None, inference_ns=None)
    text = run_text(replace(run, summary=replace(run.summary, split=split)))
    assert "server queue, inference: not reported by the server" in " ".join(text.split())
