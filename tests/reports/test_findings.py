from msgspec.structs import replace
from tests.reports import samples

from modeldyno.records.base import Estimate
from modeldyno.records.quality import Quality
from modeldyno.reports.findings import (
    fastest_first,
    headline_metrics,
    model_shape,
    refusal_of,
    tail_level,
    tally,
    winning_finalist,
    winning_point,
    winning_proof,
)


def test_the_tally_adds_up() -> None:
    counts = tally(samples.search())
    assert counts.tried == counts.measured + counts.clearly_slower + counts.refused
    assert (counts.measured, counts.clearly_slower, counts.refused) == (7, 5, 2)


def test_points_are_told_fastest_first() -> None:
    rates = [point.items_per_s.value for point in fastest_first(samples.points())]
    assert rates == sorted(rates, reverse=True)


def test_the_winner_of_an_unproven_search_is_its_point_in_process() -> None:
    search = replace(samples.search(), finalists=())
    assert winning_finalist(search) is None
    assert winning_proof(search) is None
    assert winning_point(search) == search.points[5]


def test_nothing_won_means_no_point_and_no_proof() -> None:
    search = replace(samples.search(), winner=None)
    assert winning_point(search) is None
    assert winning_proof(search) is None


def test_a_refused_artifact_refuses_all_its_points() -> None:
    search = samples.search()
    refused = [point for point in search.points if refusal_of(search, point) is not None]
    assert {point.deployment.artifact for point in refused} == {"onnx-int8-dynamic"}
    assert len(refused) == 3


def test_the_headline_metrics_are_accuracy_and_one_average() -> None:
    quality = samples.assessed()[0].quality
    assert quality is not None
    assert headline_metrics(quality) == ["accuracy", "precision_macro", "recall_macro", "f1_macro"]


def test_a_regression_shows_all_its_metrics() -> None:
    quality = Quality(
        rows=9, task="regression", metrics={"mae": Estimate(value=1.0)}, labels_digest=samples.digest("f")
    )
    assert headline_metrics(quality) == ["mae"]


def test_the_shape_leaves_the_batch_aside() -> None:
    assert model_shape(samples.model()) == "64 → 10 classes"
    assert model_shape(replace(samples.model(), classes=())) == "64 → 1 + 10"


def test_the_tail_is_told_at_the_highest_percentile_the_sample_supports() -> None:
    summary = samples.summary(samples.requests())
    assert tail_level(summary) == ("p99", "p99_ns")
    short = replace(summary, response_time=replace(summary.response_time, p99_ns=None))
    assert tail_level(short) == ("p95", "p95_ns")
    none = replace(short, response_time=replace(short.response_time, p95_ns=None, p90_ns=None))
    assert tail_level(none) is None
