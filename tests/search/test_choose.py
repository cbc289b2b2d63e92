from modeldyno.records.objective import parse_objectives
from modeldyno.search.choose import Wishes, best_finalist, quality_gate, shortlist
from tests.search.samples import assessed, finalist, point

PRECISIONS = {"original": "fp64", "onnx-fp32": "fp32", "onnx-int8": "int8"}


def wishes(objectives: str, rate_per_s: float = 1e9) -> Wishes:
    return Wishes(parse_objectives(objectives) if objectives else (), rate_per_s, PRECISIONS)


WISHES = wishes("")


def names(points: list) -> list[str]:  # type: ignore[type-arg]
    return [one.deployment.artifact for one in points]


def test_what_fails_the_quality_objective_goes_no_further_and_says_why() -> None:
    passing, refused = quality_gate([assessed("original"), assessed("onnx-int8", "fail")])
    assert ["original"] == [one.artifact.name for one in passing]
    assert [("onnx-int8", "fails: it is fail")] == refused


def test_what_cannot_be_told_is_never_preferred_to_what_passes() -> None:
    passing, refused = quality_gate([assessed("original"), assessed("onnx-int8", "cannot_tell")])
    assert ["original"] == [one.artifact.name for one in passing]
    assert [("onnx-int8", "cannot tell: it is cannot_tell")] == refused


def test_when_nobody_passes_the_undecided_go_on() -> None:
    unsure, _ = quality_gate([assessed("original", "cannot_tell"), assessed("onnx-int8", "fail")])
    assert ["original"] == [one.artifact.name for one in unsure]


def test_when_everybody_fails_nobody_goes_on() -> None:
    unsure, refused = quality_gate([assessed("original", "fail")])
    assert [] == unsure
    assert 1 == len(refused)


def test_the_fastest_is_proven_and_the_fastest_on_one_core() -> None:
    points = [
        point("onnx-fp32", 100, batch=8),
        point("onnx-fp32", 200, batch=16),
        point("original", 50),
        point("onnx-fp32", 300, threads=2, batch=16),
    ]
    chosen = shortlist(points, WISHES)
    assert [("onnx-fp32", 2, 16), ("onnx-fp32", 1, 16)] == [
        (one.deployment.artifact, one.deployment.session.threads, one.batch_rows) for one in chosen
    ]


def test_when_the_fastest_needs_one_core_the_best_of_another_artifact_is_proven_too() -> None:
    chosen = shortlist([point("onnx-fp32", 200), point("onnx-fp32", 150, batch=2), point("onnx-int8", 90)], WISHES)
    assert ["onnx-fp32", "onnx-int8"] == names(chosen)


def test_among_ties_the_simplest_is_chosen() -> None:
    points = [
        point("onnx-int8", 101, batch=32),
        point("onnx-fp32", 100, threads=2, batch=32),
        point("onnx-fp32", 100, batch=32),
        point("onnx-fp32", 99.5, batch=16),
    ]
    chosen = shortlist(points, WISHES)[0]
    assert ("onnx-fp32", 1, 16) == (chosen.deployment.artifact, chosen.deployment.session.threads, chosen.batch_rows)


def test_a_batch_that_eats_half_the_latency_limit_is_left_out() -> None:
    points = [point("onnx-fp32", 1000, batch=64), point("onnx-fp32", 900, batch=8)]
    (chosen,) = shortlist(points, wishes("p99<100ms"))
    assert 8 == chosen.batch_rows


def test_a_limit_that_nothing_meets_still_leaves_somebody_to_prove() -> None:
    assert 1 == len(shortlist([point("onnx-fp32", 10)], wishes("p99<1ns")))


def test_without_points_nobody_is_proven() -> None:
    assert [] == shortlist([], WISHES)


def test_keeping_the_objectives_comes_before_speed() -> None:
    fast, kept = finalist(point("onnx-int8", 200), "fail"), finalist(point("onnx-fp32", 100), "pass")
    assert kept == best_finalist([fast, kept], WISHES)


def test_a_proof_that_is_not_valid_or_too_short_does_not_hand_the_win_to_a_slower_one() -> None:
    noisy, sound = finalist(point("onnx-fp32", 200), valid=False), finalist(point("original", 100), "pass")
    assert noisy == best_finalist([noisy, sound], WISHES)
    short = finalist(point("onnx-fp32", 200), "cannot_tell")
    assert short == best_finalist([short, sound], WISHES)


def test_without_a_direction_the_faster_wins_and_ties_go_to_the_simpler() -> None:
    fast, slow = finalist(point("onnx-fp32", 200)), finalist(point("original", 100))
    assert fast == best_finalist([slow, fast], WISHES)
    tied = finalist(point("onnx-int8", 201))
    assert fast == best_finalist([slow, tied, fast], WISHES)


def test_speed_far_beyond_the_asked_rate_is_equal_and_the_cheaper_request_wins() -> None:
    wide = finalist(point("onnx-fp32", 2_000_000, instances=2, batch=64), cpu_ns=260_000)
    lean = finalist(point("onnx-fp32", 1_500_000, batch=64), cpu_ns=150_000)
    slow = finalist(point("original", 4_000), cpu_ns=140_000)
    assert lean == best_finalist([wide, lean, slow], wishes("", rate_per_s=500))


def test_costs_that_hardly_differ_are_equal_and_the_faster_wins_or_of_ties_the_simpler() -> None:
    int8 = finalist(point("onnx-int8", 50_100), cpu_ns=149_000)
    fp32 = finalist(point("onnx-fp32", 50_000), cpu_ns=150_000)
    single = finalist(point("onnx-fp32", 9_000), cpu_ns=148_000)
    assert fp32 == best_finalist([int8, fp32, single], wishes("", rate_per_s=500))


def test_a_direction_decides_what_better_means() -> None:
    lean = finalist(point("original", 10), memory=100)
    fast = finalist(point("onnx-fp32", 200), memory=300)
    assert lean == best_finalist([lean, fast], wishes("memory"))
    assert fast == best_finalist([lean, fast], wishes("throughput"))
