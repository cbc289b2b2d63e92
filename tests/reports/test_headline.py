from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.answers import NO_WRONG_ANSWER
from modeldyno.records.search import Search
from modeldyno.records.verdict import MeasurementVerdict, ObjectiveVerdict
from modeldyno.reports.headline import run_headline, search_headline


def invalidated(search: Search) -> Search:
    verdict = MeasurementVerdict(measurement="invalid", reasons=("the client used 97 % of its processor",))
    finalists = tuple(replace(one, proof=replace(one.proof, verdict=verdict)) for one in search.finalists)
    return replace(search, finalists=finalists)


def test_all_objectives_met_is_a_pass_with_the_gain_and_the_load() -> None:
    headline = search_headline(samples.search())
    assert (headline.answer, headline.title) == ("pass", "All 3 objectives are met")
    assert "113× [104, 124]" in headline.detail
    assert "0 failures" in headline.detail


def test_wrong_answers_come_before_all_else_even_where_the_measurement_is_not_valid() -> None:
    wrong = ObjectiveVerdict(objective=NO_WRONG_ANSWER, verdict="fail", measured=None, evidence="3 of 9 are wrong")
    other = ObjectiveVerdict(objective="p99<1ms", verdict="fail", measured=None, evidence="it took 2 ms")
    verdict = MeasurementVerdict(measurement="invalid", reasons=("late",), objectives=(wrong, other))

    headline = run_headline(replace(samples.run(), verdict=verdict))

    assert ("fail", "The server gave wrong answers") == (headline.answer, headline.title)
    assert "3 of 9 are wrong. p99<1ms: it took 2 ms." == headline.detail


def test_nothing_won_is_a_fail() -> None:
    assert search_headline(replace(samples.search(), winner=None)).answer == "fail"


def test_an_interrupted_search_without_a_winner_is_not_judged() -> None:
    headline = search_headline(replace(samples.search(), winner=None, state="interrupted"))
    assert headline.answer == "cannot_tell"
    assert "goes on where it stopped" in headline.detail


def test_an_unproven_winner_claims_nothing_over_the_network() -> None:
    headline = search_headline(replace(samples.search(), finalists=(), state="interrupted"))
    assert (headline.answer, headline.title) == ("cannot_tell", "Not proven")
    assert "interrupted" in headline.detail


def test_an_invalid_proof_is_never_a_pass_and_says_why() -> None:
    headline = search_headline(invalidated(samples.search()))
    assert headline.answer == "cannot_tell"
    assert headline.detail == "The client used 97 % of its processor."


def test_one_objective_that_cannot_be_told_spoils_the_pass() -> None:
    passed = samples.verdicts()
    unknown = replace(passed[0], verdict="cannot_tell", evidence="too few requests")
    headline = search_headline(replace(samples.search(), verdicts=(unknown, *passed[1:])))
    assert (headline.answer, headline.detail) == ("cannot_tell", "p99<20ms: too few requests.")


def test_a_failed_objective_outweighs_one_that_cannot_be_told() -> None:
    first, second, third = samples.verdicts()
    verdicts = (replace(first, verdict="cannot_tell"), replace(second, verdict="fail"), replace(third, verdict="fail"))
    headline = search_headline(replace(samples.search(), verdicts=verdicts))
    assert (headline.answer, headline.title) == ("fail", "2 objectives failed")


def test_without_objectives_it_is_measured_and_not_passed() -> None:
    assert search_headline(replace(samples.search(), verdicts=())).answer == "measured"


def test_a_run_without_a_summary_is_not_finished() -> None:
    assert run_headline(replace(samples.run(), summary=None, verdict=None)).title == "Not finished"


def test_a_run_that_met_its_objectives_says_so_with_numbers() -> None:
    run = samples.run(samples.requests())
    verdict = MeasurementVerdict(measurement="valid", reasons=(), objectives=samples.verdicts()[:1])
    headline = run_headline(replace(run, verdict=verdict))
    assert (headline.answer, headline.title) == ("pass", "The objective is met")
    assert "10,000 requests" in headline.detail
