from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from modeldyno.errors import ToolError
from modeldyno.protocols import Silent
from modeldyno.records.anatomy import Anatomy
from modeldyno.records.deployment import Cache, Deployment
from modeldyno.records.search import Assessed, Finalist, Refusal, Search
from modeldyno.records.speed import SpeedPoint
from modeldyno.records.verdict import Answer
from modeldyno.records.workload import Repeats
from modeldyno.search.caching import has_cache, with_cache
from modeldyno.search.choose import shortlist
from modeldyno.search.search import run_search, wishes_of
from modeldyno.testing.clock import ManualClock
from tests.search.samples import anatomy_of, assessed, finalist, point, search

SECOND = 1_000_000_000
REFERENCE = point("original", 1_000)
FAST = point("onnx-fp32", 50_000, batch=32)
INT8 = point("onnx-int8", 40_000, batch=32)


class ScriptedWorkshop:
    """Takes the time it is told on a manual clock and answers what it is told."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.made: list[Assessed] = [assessed("original"), assessed("onnx-fp32"), assessed("onnx-int8", "fail", "int8")]
        self.points: tuple[SpeedPoint, ...] = (FAST, REFERENCE)
        self.answers: dict[str, Answer] = {}
        self.invalid: set[str] = set()
        self.broken: set[str] = set()
        self.stop_at = ""
        self.raced: list[Deployment] = []
        self.proofs: list[tuple[str, int]] = []
        self.cached: list[bool] = []
        self.cpu_ns: dict[bool, int] = {}
        """With and without a cache."""
        self.broken_with_cache = False
        self.looked_into: list[str] = []

    def _maybe_stop(self, stage: str) -> None:
        if self.stop_at == stage:
            raise KeyboardInterrupt

    def make_artifacts(self) -> tuple[list[Assessed], list[Refusal]]:
        self._maybe_stop("make")
        self.clock.advance_ns(5 * SECOND)
        return self.made, []

    def deployments(self, assessed: Sequence[Assessed]) -> list[Deployment]:
        return [one.deployment for one in self.points if one.deployment.artifact in {a.artifact.name for a in assessed}]

    def race(
        self,
        deployments: Sequence[Deployment],
        *,
        deadline_ns: int,
        longest_call_ns: float | None,
        on_points: Callable[[tuple[SpeedPoint, ...]], None],
    ) -> tuple[tuple[SpeedPoint, ...], list[Refusal]]:
        self.raced = list(deployments)
        on_points(self.points)
        self._maybe_stop("race")
        self.clock.sleep_until_ns(deadline_ns)
        return self.points, []

    def dissect(self, points: Sequence[SpeedPoint], *, deadline_ns: int) -> tuple[Anatomy, ...]:
        self.looked_into = [point.deployment.artifact for point in points]
        return tuple(
            anatomy_of(point.deployment, ("QuantizeLinear", 0.7, "uint8"), ("QLinearConv", 0.3, "int8"))
            for point in points
        )

    def prove(self, point: SpeedPoint, deployment: Deployment, *, duration_ns: int) -> Finalist:
        name = point.deployment.artifact
        self._maybe_stop(f"prove {name}")
        is_cached = has_cache(deployment)
        if name in self.broken or (is_cached and self.broken_with_cache):
            raise ToolError("the server ended before it was ready", why="no memory")
        self.clock.advance_ns(duration_ns + 2 * SECOND)
        self.proofs.append((name, duration_ns // SECOND))
        self.cached.append(is_cached)
        made = finalist(
            point, self.answers.get(name, "pass"), valid=name not in self.invalid, cpu_ns=self.cpu_ns.get(is_cached)
        )
        hits = 30 if is_cached else 0
        requested = replace(made.proof.requested, repeats=Repeats(share=0.3))
        proof = replace(made.proof, requested=requested, repeated_fraction=0.3, cache_hits=hits, cache_misses=70)
        return replace(made, deployment=deployment, proof=proof)


class Shelf:
    """Keeps every saved record."""

    def __init__(self) -> None:
        self.saved: list[Search] = []

    def __call__(self, record: Search) -> None:
        self.saved.append(record)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def workshop(clock: ManualClock) -> ScriptedWorkshop:
    return ScriptedWorkshop(clock)


def run(record: Search, workshop: ScriptedWorkshop, shelf: Shelf | None = None) -> Search:
    return run_search(record, workshop, clock=workshop.clock, progress=Silent(), save=shelf or Shelf())


def test_the_fastest_that_keeps_the_quality_wins_and_is_proven_longest(workshop: ScriptedWorkshop) -> None:
    done = run(search(), workshop)
    assert FAST.deployment == done.winner
    assert "complete" == done.state
    assert "onnx-fp32" == workshop.proofs[-1][0]
    assert workshop.proofs[-1][1] > workshop.proofs[0][1]
    assert ["pass", "pass"] == [one.verdict for one in done.verdicts]


def test_what_failed_the_quality_gate_is_never_raced(workshop: ScriptedWorkshop) -> None:
    workshop.points = (FAST, INT8, REFERENCE)
    done = run(search(), workshop)
    assert "onnx-int8" not in {one.artifact for one in workshop.raced}
    assert ("onnx-int8", "quality") in {(one.name, one.stage) for one in done.refused}


def test_the_speed_up_is_against_the_model_as_it_came(workshop: ScriptedWorkshop) -> None:
    done = run(search(), workshop)
    assert done.speedup is not None
    assert pytest.approx(50.0) == done.speedup.ratio.value
    assert REFERENCE == done.speedup.reference


def test_the_model_as_it_came_is_proven_too_for_comparison(workshop: ScriptedWorkshop) -> None:
    done = run(search(), workshop)
    assert {"onnx-fp32", "original"} == {one.deployment.artifact for one in done.finalists}


def test_the_budget_is_kept(workshop: ScriptedWorkshop) -> None:
    done = run(search(budget_ns=60 * SECOND), workshop)
    assert done.elapsed_ns <= 60 * SECOND


def test_a_tiny_budget_still_proves_the_best(workshop: ScriptedWorkshop) -> None:
    done = run(search(budget_ns=1 * SECOND), workshop)
    assert [("onnx-fp32", 2)] == workshop.proofs
    assert FAST.deployment == done.winner


def test_a_finalist_that_fails_under_load_loses_to_one_that_holds(workshop: ScriptedWorkshop) -> None:
    workshop.answers["onnx-fp32"] = "fail"
    done = run(search(), workshop)
    assert REFERENCE.deployment == done.winner


def test_a_server_that_does_not_start_is_a_refusal_with_its_reason(workshop: ScriptedWorkshop) -> None:
    workshop.broken.add("onnx-fp32")
    done = run(search(), workshop)
    assert REFERENCE.deployment == done.winner
    assert ["the server ended before it was ready: no memory"] == [
        one.reason for one in done.refused if one.stage == "proof"
    ]


def test_an_invalid_final_is_repeated_once(workshop: ScriptedWorkshop) -> None:
    workshop.invalid.update({"onnx-fp32", "original"})
    done = run(search(), workshop)
    assert "complete" == done.state
    assert 2 <= len([name for name, _ in workshop.proofs if name == "onnx-fp32"])


def test_stopped_in_the_race_it_keeps_the_best_so_far_unproven(workshop: ScriptedWorkshop) -> None:
    workshop.stop_at = "race"
    done = run(search(), workshop)
    assert "interrupted" == done.state
    assert FAST.deployment == done.winner
    assert () == done.finalists
    assert any("nothing was proven" in line for line in done.advice)


def test_stopped_before_anything_was_made_there_is_no_winner(workshop: ScriptedWorkshop) -> None:
    workshop.stop_at = "make"
    done = run(search(), workshop)
    assert ("interrupted", None) == (done.state, done.winner)


def test_a_stopped_search_goes_on_where_it_was(workshop: ScriptedWorkshop, clock: ManualClock) -> None:
    workshop.stop_at = "prove original"
    stopped = run(search(), workshop)
    again = ScriptedWorkshop(clock)
    done = run(stopped, again)
    assert [] == again.raced
    assert ["original", "onnx-fp32"] == [name for name, _ in again.proofs]
    assert "complete" == done.state


def test_a_race_that_was_cut_short_is_run_again_as_a_whole(workshop: ScriptedWorkshop, clock: ManualClock) -> None:
    workshop.stop_at = "race"
    stopped = run(search(), workshop)
    again = ScriptedWorkshop(clock)
    run(stopped, again)
    assert 2 == len(again.raced)


def test_every_stage_is_saved_before_the_next_begins(workshop: ScriptedWorkshop) -> None:
    shelf = Shelf()
    run(search(), workshop, shelf)
    stages = list(dict.fromkeys(tuple(one.measured_at) for one in shelf.saved))
    assert [("artifacts",), ("artifacts", "race"), ("artifacts", "race", "final")] == [one for one in stages if one]
    assert "complete" == shelf.saved[-1].state


def test_when_the_original_itself_fails_there_is_no_winner_but_its_evidence(
    workshop: ScriptedWorkshop,
) -> None:
    workshop.made = [assessed("original", "fail")]
    done = run(search(), workshop)
    assert done.winner is None
    assert ["it is fail"] == [one.evidence for one in done.verdicts]
    assert any("the original included" in line for line in done.advice)


def test_rows_that_would_decide_are_in_the_advice(workshop: ScriptedWorkshop) -> None:
    workshop.made[2] = assessed("onnx-int8", "cannot_tell", "int8")
    done = run(search(), workshop)
    assert "onnx-int8: about 5,000 rows would decide accuracy_drop<=1%" in done.advice


def test_an_objective_that_too_few_requests_could_decide_asks_for_a_longer_budget(workshop: ScriptedWorkshop) -> None:
    workshop.answers = {"onnx-fp32": "cannot_tell", "original": "cannot_tell"}
    done = run(search(), workshop)
    assert any("a longer --budget" in line for line in done.advice)


CACHE = Cache(max_bytes=4_000_000)
REPEATING = {"repeats": Repeats(share=0.3), "repeats_from": "asked", "cache": CACHE}


def test_without_repeats_no_cache_is_proven_and_the_reason_is_told(workshop: ScriptedWorkshop) -> None:
    done = run(search(), workshop)
    assert not any(one.deployment.cache.max_bytes for one in done.finalists)
    assert any(why.startswith("no cache was tried") for why in done.why)


def test_a_cache_that_saves_cpu_wins_and_is_proven_longest(workshop: ScriptedWorkshop) -> None:
    workshop.cpu_ns = {False: 100_000, True: 70_000}
    done = run(search(**REPEATING), workshop)
    assert with_cache(FAST.deployment, CACHE) == done.winner
    assert workshop.cached[-1]
    assert workshop.proofs[-1][1] > workshop.proofs[0][1]
    assert any("a cache of 4.00 MB answers" in why for why in done.why)
    assert done.speedup is not None


def test_a_cache_that_saves_nothing_loses(workshop: ScriptedWorkshop) -> None:
    workshop.cpu_ns = {False: 100_000, True: 99_000}
    done = run(search(**REPEATING), workshop)
    assert FAST.deployment == done.winner
    assert any(workshop.cached)
    assert not workshop.cached[-1]


def test_the_model_as_it_came_is_not_tried_with_a_cache_unless_it_is_a_finalist(workshop: ScriptedWorkshop) -> None:
    done = run(search(**REPEATING), workshop)
    cached = {one.deployment.artifact for one in done.finalists if one.deployment.cache.max_bytes}
    assert {point.deployment.artifact for point in shortlist(done.points, wishes_of(done))} == cached


def test_a_spent_budget_leaves_the_cache_untried_for_the_sake_of_the_final(workshop: ScriptedWorkshop) -> None:
    done = run(search(**REPEATING, budget_ns=20 * SECOND), workshop)
    assert not any(workshop.cached)
    assert any("was not tried: the budget was spent" in why for why in done.why)


def test_a_server_that_does_not_start_with_the_cache_is_not_tried_again(workshop: ScriptedWorkshop) -> None:
    workshop.broken_with_cache = True
    done = run(search(**REPEATING), workshop)
    label = with_cache(FAST.deployment, CACHE).label
    assert 1 == [one.name for one in done.refused].count(label)
    assert FAST.deployment == done.winner


def with_a_loser(workshop: ScriptedWorkshop) -> None:
    """An int8 artifact that keeps the answers and is slower than what it was made from."""
    parent = workshop.made[1]
    int8 = assessed("onnx-int8", precision="int8")
    workshop.made[2] = replace(int8, artifact=replace(int8.artifact, parent_digest=parent.artifact.digest))
    workshop.points = (FAST, INT8, REFERENCE)


def test_why_a_compressed_artifact_lost_is_looked_for_inside_it(workshop: ScriptedWorkshop) -> None:
    with_a_loser(workshop)
    done = run(search(), workshop)
    assert ["onnx-int8"] == workshop.looked_into
    sentence = next(one for one in done.why if one.startswith("onnx-int8 reaches 0.8"))
    assert "the items/s of onnx-fp32 with batches of 32" in sentence
    assert "70 % of the operators' time is in 1 unfused quantise and dequantise node" in sentence


def test_without_a_loser_nobody_is_looked_into(workshop: ScriptedWorkshop) -> None:
    assert () == run(search(), workshop).anatomies
    assert [] == workshop.looked_into


def test_when_the_budget_is_spent_nobody_is_looked_into_any_more(workshop: ScriptedWorkshop) -> None:
    with_a_loser(workshop)
    done = run(search(budget_ns=1 * SECOND), workshop)
    assert [] == workshop.looked_into
    assert any(one.startswith("onnx-int8 reaches") for one in done.why)
