import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace
from tests.reports import capacities, chats, comparisons, evaluations, profiles, samples, scenarios
from tests.reports.terminal import test_texts as texts

from modeldyno.records.search import Search
from modeldyno.records.verdict import MeasurementVerdict
from modeldyno.reports.page.capacity_page import capacity_page
from modeldyno.reports.page.comparison_page import comparison_page
from modeldyno.reports.page.evaluation_page import evaluation_page
from modeldyno.reports.page.profile_page import profile_page
from modeldyno.reports.page.run_page import run_page
from modeldyno.reports.page.search_page import search_page

ROWS = samples.requests(count=2_000, warmup=100)
FAILED_ROWS = samples.requests(count=2_000, warmup=100, failed=14)


def whole_search(search: Search) -> str:
    return search_page(search, proof_requests=ROWS)


PAGES: dict[str, Callable[[], str]] = {
    "search": lambda: whole_search(samples.search(rows=ROWS)),
    "search without raw requests": lambda: search_page(samples.search(rows=ROWS), proof_requests=None),
    "search unlabelled": lambda: whole_search(texts.unlabelled()),
    "search without data": lambda: whole_search(texts.without_data()),
    "search interrupted early": lambda: search_page(texts.interrupted_early(), proof_requests=None),
    "search interrupted before the proof": lambda: search_page(
        texts.interrupted_before_the_proof(), proof_requests=None
    ),
    "search nothing won": lambda: search_page(texts.nothing_won(), proof_requests=None),
    "search invalid proof": lambda: whole_search(texts.invalid_proof()),
    "run": lambda: run_page(samples.run(FAILED_ROWS), FAILED_ROWS),
    "run not finished": lambda: run_page(replace(samples.run(), summary=None, verdict=None, effective=None), ROWS[:0]),
    "run chat": lambda: run_page(chats.run_streamed(), chats.streamed()[0], tokens=chats.streamed()[1]),
    "run in one piece": lambda: run_page(chats.run_in_one_piece(), chats.streamed()[0]),
    "run embeddings": lambda: run_page(chats.run_embeddings(), chats.streamed()[0]),
    "run server valid": lambda: run_page(scenarios.valid_server(), scenarios.ROWS),
    "run single stream short": lambda: run_page(scenarios.short_single_stream(), scenarios.ROWS),
    "comparison regression": lambda: comparison_page(comparisons.regression()),
    "comparison equal": lambda: comparison_page(comparisons.equals()),
    "comparison undecided": lambda: comparison_page(
        replace(comparisons.undecided(), metrics=(comparisons.UNSUPPORTED,))
    ),
    "comparison invalid": lambda: comparison_page(comparisons.invalid()),
    "capacity found": lambda: capacity_page(capacities.found()),
    "capacity ceiling": lambda: capacity_page(capacities.ceiling()),
    "capacity lowest-fails": lambda: capacity_page(capacities.lowest_fails()),
    "capacity client-limited": lambda: capacity_page(capacities.client_limited()),
    "capacity out-of-budget": lambda: capacity_page(capacities.out_of_budget()),
    "capacity interrupted": lambda: capacity_page(capacities.interrupted()),
    **{
        f"evaluation {name}": lambda make=make: evaluation_page(make())  # type: ignore[misc]
        for name, make in evaluations.ALL.items()
    },
    "profile": lambda: profile_page(samples.profile()),
    "profile cut open": lambda: profile_page(profiles.cut_open()),
    "profile of a bundle": lambda: profile_page(profiles.bundled()),
    "profile empty": lambda: profile_page(replace(samples.profile(), points=())),
}
every_page = pytest.mark.parametrize("name", PAGES)


class Outline(HTMLParser):
    """Collects what the tests ask about, and fails on tags that do not close in order."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@every_page
def test_every_tag_is_closed_in_order(name: str) -> None:
    assert Outline(PAGES[name]()).tags[0][0] == "html"


@every_page
def test_a_page_loads_nothing_from_anywhere(name: str) -> None:
    page = PAGES[name]()
    for word in ("<link", "<script", "<iframe", "<img", "src=", "href=", "//cdn", "https://", "@import", "url("):
        assert word not in page
    assert "http://" not in page.replace("http://127.0.0.1:8000", "")


@every_page
def test_equal_records_give_equal_pages(name: str) -> None:
    assert PAGES[name]() == PAGES[name]()


@every_page
def test_a_page_says_its_language_title_and_what_each_drawing_shows(name: str) -> None:
    outline = Outline(PAGES[name]())
    assert ("html", {"lang": "en"}) in outline.tags
    assert sum(tag == "h1" for tag, _ in outline.tags) == 1
    assert sum(tag == "title" for tag, _ in outline.tags) >= 1
    drawings = [attributes for tag, attributes in outline.tags if tag == "svg"]
    assert all(one.get("aria-hidden") or (one.get("role") == "img" and one.get("aria-label")) for one in drawings)


@every_page
def test_no_id_is_used_twice(name: str) -> None:
    ids = re.findall(r' id="([^"]+)"', PAGES[name]())
    assert len(ids) == len(set(ids))


@every_page
def test_every_section_that_is_named_by_a_heading_has_that_heading(name: str) -> None:
    page = PAGES[name]()
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= set(re.findall(r' id="([^"]+)"', page))


@every_page
def test_nothing_is_printed_that_only_a_programmer_understands(name: str) -> None:
    text = Outline(PAGES[name]()).text
    for word in ("None", "nan", "Estimate(", "cannot_tell", "Undefined"):
        assert not re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text.replace("Best deployment None", ""))


def nasty_search() -> Search:
    search = samples.search(samples.NASTY)
    points = tuple(
        replace(point, deployment=replace(point.deployment, artifact=samples.NASTY)) for point in search.points
    )
    refused = tuple(replace(one, name=samples.NASTY, reason=samples.NASTY) for one in search.refused)
    verdicts = tuple(replace(one, objective=samples.NASTY, evidence=samples.NASTY) for one in search.verdicts)
    objectives = tuple(replace(one, text=samples.NASTY) for one in search.objectives)
    return replace(
        search,
        points=points,
        finalists=tuple(replace(one, deployment=points[5].deployment, speed=points[5]) for one in search.finalists[:1]),
        winner=points[5].deployment,
        refused=refused,
        verdicts=verdicts,
        objectives=objectives,
        data=samples.NASTY,
        why=(samples.NASTY,),
        environment=replace(search.environment, cpu_model=samples.NASTY),
    )


def test_markup_in_any_name_is_shown_as_text() -> None:
    page = whole_search(nasty_search())
    outline = Outline(page)
    assert "<script" not in page
    assert "alert(1)</script>" not in page
    assert outline.text.count("<script>alert(1)</script>") > 20
    labels = [attributes.get("aria-label") or "" for tag, attributes in outline.tags if tag == "svg"]
    assert any(samples.NASTY in label for label in labels)
    assert not any("script" in tag or "onload" in attributes for tag, attributes in outline.tags)


def test_characters_that_reorder_text_are_made_visible() -> None:
    page = whole_search(samples.search("evil\u202egnp"))
    assert "\u202e" not in page
    assert "evil�gnp" in page


def test_the_verdict_comes_before_every_number() -> None:
    text = Outline(PAGES["search"]()).text
    assert text.index("All 3 objectives are met") < text.index("Best deployment") < text.index("Provenance")


def test_all_points_and_refusals_are_listed() -> None:
    page = PAGES["search"]()
    table = page[page.index('<table class="points">') :]
    assert table[: table.index("</table>")].count("<tr") == 1 + len(samples.points())
    text = Outline(page).text
    assert all(one.reason in text.replace("\u00a0", " ") for one in samples.search().refused)


def test_all_finalists_are_compared_under_the_same_load() -> None:
    page = PAGES["search"]()
    table = page[page.index('<table class="points finalists">') :]
    assert table[: table.index("</table>")].count("<tr") == 1 + len(samples.search().finalists)


def test_an_invalid_proof_is_said_first_and_with_its_reason() -> None:
    text = Outline(PAGES["search invalid proof"]()).text
    assert text.index("The measurement is not valid") < text.index("Best deployment")
    assert "Do not use these numbers" in text


def test_an_unproven_search_claims_nothing_over_the_network() -> None:
    assert "nothing is claimed over the network" in Outline(PAGES["search interrupted before the proof"]()).text


def test_a_regression_without_classes_has_its_own_metrics() -> None:
    search = samples.search(rows=ROWS)
    first = search.assessed[0]
    assert first.quality is not None
    quality = replace(
        first.quality, task="regression", metrics={"mae": samples.estimate(0.31), "r2": samples.estimate(0.8)}
    )
    page = whole_search(replace(search, assessed=(replace(first, quality=quality), *search.assessed[1:])))
    assert "MAE" in page
    assert "0.310" in page


def test_a_valid_run_without_objectives_is_neither_passed_nor_failed() -> None:
    run = samples.run(ROWS)
    page = run_page(replace(run, verdict=MeasurementVerdict(measurement="valid", reasons=())), ROWS)
    assert '<section class="verdict measured"' in page


def test_the_reference_is_not_compared_with_itself() -> None:
    search = samples.search(rows=ROWS)
    original = replace(search.assessed[0], change=samples.change(0.0, -0.006, 0.006, 0))
    page = whole_search(replace(search, assessed=(original,)))
    assert "worse by" not in page


def test_many_clearly_slower_points_are_folded_away_and_still_there() -> None:
    search = samples.search(rows=ROWS)
    slower = tuple(
        samples.point(samples.deployment("onnx-fp32", rows=rows), 1_000.0 + rows, "clearly_slower")
        for rows in range(100, 110)
    )
    page = whole_search(replace(search, points=(*search.points, *slower)))
    assert "14 more that were clearly slower" in page
    assert page.count('<table class="points">') == 2


def test_without_p99_the_highest_supported_percentile_is_shown() -> None:
    run = samples.run(ROWS)
    assert run.summary is not None
    short = replace(run.summary, response_time=replace(run.summary.response_time, p99_ns=None))
    page = run_page(replace(run, summary=short), ROWS)
    assert "<dt>p95 response time</dt>" in page
    assert "<dt>p99 response time</dt>" not in page


def test_a_nasty_comparison_is_escaped() -> None:
    found = comparisons.regression()
    sides = replace(found.a, source=samples.NASTY, model=samples.NASTY, invalid=(samples.NASTY,))
    differences = tuple(replace(one, name=samples.NASTY, a=samples.NASTY) for one in found.differences)
    metrics = tuple(replace(one, evidence=samples.NASTY) for one in found.metrics)
    page = comparison_page(replace(found, a=sides, differences=differences, metrics=metrics, notes=(samples.NASTY,)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
