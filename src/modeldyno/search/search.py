"""The search itself: make and gate, race, prove, choose. Keeps the best so far, stops at the budget, can go on later.

It knows what to ask and when to stop; how an artifact is made, a race run or a server started is the `Workshop`'s
business. Each stage ends with the record saved, so a stopped search is taken over where it was. A race that was cut
short is run again as a whole: its blocks are only comparable with blocks measured beside them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from modeldyno.bench.standings import speed_ratio
from modeldyno.clock import Clock
from modeldyno.errors import DynoError
from modeldyno.protocols import Progress
from modeldyno.records.deployment import Deployment
from modeldyno.records.search import Finalist, Refusal, Search, SpeedUp
from modeldyno.records.speed import SpeedPoint
from modeldyno.search.caching import has_cache, is_worth_it, not_started, plain_twin, with_cache
from modeldyno.search.choose import Wishes, best_finalist, quality_gate, shortlist
from modeldyno.search.explain import advice_for, reasons_for
from modeldyno.search.ledger import Ledger
from modeldyno.search.losses import MOST_EXPLAINED, lost_points
from modeldyno.search.workshop import Workshop

RACE_SHARE = 0.4
"""Of what is left of the budget when the artifacts are made: at least as much remains for proofs over the network."""
LOOKING_SHARE = 0.05
"""Of what is left after the race: for looking inside compressed artifacts that lost it."""
QUALIFYING_SHARE = 0.08
"""Of the budget: the length of a finalist's first proof."""
SHORTEST_PROOF_NS = 2_000_000_000
LONGEST_PROOF_NS = 20_000_000_000
ENOUGH_REQUESTS = 4_000
"""A proof may be longer than `LONGEST_PROOF_NS` until it has so many: p99 needs hundreds that are independent."""
PROOF_OVERHEAD_NS = 3_000_000_000
"""Starting a server, warming up and draining."""


def run_search(
    search: Search, workshop: Workshop, *, clock: Clock, progress: Progress, save: Callable[[Search], None]
) -> Search:
    """Run or go on with a search until its budget is spent; Ctrl-C ends it early with what it has.

    Returns:
        The record with the winner, if there is one, and `state` complete or interrupted.
    """
    ledger = Ledger(search, save, clock)
    started_ns = clock.now_ns()
    try:
        _make_and_gate(ledger, workshop)
        if ledger.search.assessed:
            _race(ledger, workshop, started_ns)
            _look_inside(ledger, workshop, started_ns)
            _prove(ledger, workshop, started_ns, progress)
        state = "complete"
    except KeyboardInterrupt:
        state = "interrupted"
    ledger.note(**conclusion(ledger.search), state=state, elapsed_ns=search.elapsed_ns + clock.now_ns() - started_ns)
    return ledger.search


def _make_and_gate(ledger: Ledger, workshop: Workshop) -> None:
    if ledger.has("artifacts"):
        return
    assessed, refused = workshop.make_artifacts()
    _, gated = quality_gate(assessed)
    refused += [Refusal(name=name, stage="quality", reason=reason) for name, reason in gated]
    ledger.note("artifacts", assessed=tuple(assessed), refused=tuple(refused))


def _race(ledger: Ledger, workshop: Workshop, started_ns: int) -> None:
    if ledger.has("race"):
        return
    admitted, _ = quality_gate(ledger.search.assessed)
    if not admitted:
        return
    now_ns = ledger.clock.now_ns()
    left_ns = max(0, started_ns + ledger.search.budget_ns - now_ns)
    earlier = tuple(refusal for refusal in ledger.search.refused if refusal.stage != "bench")
    points, left_out = workshop.race(
        workshop.deployments(admitted),
        deadline_ns=now_ns + round(RACE_SHARE * left_ns),
        longest_call_ns=wishes_of(ledger.search).latency_limit_ns,
        on_points=lambda points: ledger.note(points=points),
    )
    ledger.note("race", points=points, refused=(*earlier, *left_out))


def _look_inside(ledger: Ledger, workshop: Workshop, started_ns: int) -> None:
    """So that the reasons can say where the time goes of what should have been faster."""
    now_ns = ledger.clock.now_ns()
    left_ns = started_ns + ledger.search.budget_ns - now_ns
    lost = [point for point, _ in lost_points(ledger.search.assessed, ledger.search.points)][:MOST_EXPLAINED]
    if ledger.has("anatomies") or not lost or left_ns <= 0:
        return
    anatomies = workshop.dissect(lost, deadline_ns=now_ns + round(LOOKING_SHARE * left_ns))
    ledger.note("anatomies", anatomies=anatomies)


def _prove(ledger: Ledger, workshop: Workshop, started_ns: int, progress: Progress) -> None:
    """First short proofs: of the finalists, of them with a cache, of the reference. Then a long one of the best."""
    budget_ns, end_ns = ledger.search.budget_ns, started_ns + ledger.search.budget_ns
    short_ns = min(LONGEST_PROOF_NS, max(SHORTEST_PROOF_NS, round(QUALIFYING_SHARE * budget_ns)))
    qualifying = Qualifying(ledger, workshop, short_ns, end_ns, progress)
    finalists, reference = _contenders(ledger.search)
    qualifying.prove(finalists, is_first=True)
    qualifying.prove_caches(finalists)
    qualifying.prove(reference, is_first=not finalists)
    if ledger.has("final"):
        return
    for _ in range(2):  # a final that is not convincing is repeated; one that fails hands over to the next best
        lead = _lead(ledger.search)
        left_ns = end_ns - ledger.clock.now_ns() - PROOF_OVERHEAD_NS
        if lead is None or left_ns <= short_ns:
            return  # a proof no longer than the one there is would only take its place
        longest_ns = max(LONGEST_PROOF_NS, round(ENOUGH_REQUESTS / ledger.search.rate_per_s * 1e9))
        _prove_one(ledger, workshop, lead.speed, lead.deployment, min(longest_ns, left_ns))
        after = _lead(ledger.search)
        if after is not None and after.deployment == lead.deployment and _is_convincing(after):
            ledger.note("final")
            return


@dataclass(frozen=True, slots=True)
class Qualifying:
    """The short proofs, as many as fit before `end_ns`."""

    ledger: Ledger
    workshop: Workshop
    short_ns: int
    end_ns: int
    progress: Progress

    def prove(self, points: Sequence[SpeedPoint], *, is_first: bool) -> None:
        """Prove each that is not proven yet; the first of all whatever the budget."""
        for number, point in enumerate(points):
            if _proven(self.ledger.search, point.deployment) is not None:
                continue
            if not (is_first and number == 0) and not self._has_time(self.short_ns + PROOF_OVERHEAD_NS):
                self.progress.say(f"budget spent: {point.deployment.label} stays unproven")
                continue
            _prove_one(self.ledger, self.workshop, point, point.deployment, self.short_ns)

    def prove_caches(self, points: Sequence[SpeedPoint]) -> None:
        """Prove each again with the cache, the best first; the others only while time for a long proof remains."""
        search = self.ledger.search
        if search.cache is None:
            return
        chosen = {point.deployment for point in points}
        rivals = [one for one in search.finalists if one.deployment in chosen]
        lead = best_finalist(rivals, wishes_of(search)) if rivals else None
        while rivals:
            best = best_finalist(rivals, wishes_of(search))
            rivals.remove(best)
            cached = with_cache(best.deployment, search.cache)
            if _proven(search, cached) is not None or cached.label in not_started(search):
                continue
            proofs = 1 if best is lead else 2
            if not self._has_time(proofs * (self.short_ns + PROOF_OVERHEAD_NS)):
                self.progress.say(f"budget spent: {cached.label} stays unproven")
                continue
            _prove_one(self.ledger, self.workshop, best.speed, cached, self.short_ns)

    def _has_time(self, needed_ns: int) -> bool:
        return self.ledger.clock.now_ns() + needed_ns <= self.end_ns


def _is_convincing(finalist: Finalist) -> bool:
    verdict = finalist.proof.verdict
    return verdict.measurement == "valid" and all(one.verdict == "pass" for one in verdict.objectives)


def _prove_one(ledger: Ledger, workshop: Workshop, point: SpeedPoint, deployment: Deployment, duration_ns: int) -> None:
    others = tuple(f for f in ledger.search.finalists if f.deployment != deployment)
    try:
        finalist = workshop.prove(point, deployment, duration_ns=duration_ns)
    except DynoError as problem:
        refusal = Refusal(name=deployment.label, stage="proof", reason=problem.in_a_line)
        ledger.note(finalists=others, refused=(*ledger.search.refused, refusal))
        return
    ledger.note(finalists=(*others, finalist))


def _contenders(search: Search) -> tuple[list[SpeedPoint], list[SpeedPoint]]:
    """Who is put under real load: the shortlist; and for comparison the model as it came, unless it is in it."""
    failed = not_started(search)
    points = [point for point in search.points if point.deployment.label not in failed]
    chosen = shortlist(points, wishes_of(search))
    reference = reference_point(search)
    return chosen, [] if reference is None or reference in chosen else [reference]


def _proven(search: Search, deployment: Deployment) -> Finalist | None:
    return next((f for f in search.finalists if f.deployment == deployment), None)


def _lead(search: Search) -> Finalist | None:
    """The best finalist so far; one with a cache only where that wins against the same without."""
    admitted = {one.artifact.name for one in quality_gate(search.assessed)[0]}
    wishes = wishes_of(search)
    rivals = [f for f in search.finalists if f.deployment.artifact in admitted and _may_win(search, f, wishes)]
    return best_finalist(rivals, wishes) if rivals else None


def _may_win(search: Search, finalist: Finalist, wishes: Wishes) -> bool:
    if not has_cache(finalist.deployment):
        return True
    plain = plain_twin(search, finalist.deployment)
    return plain is not None and is_worth_it(plain, finalist, wishes)


def wishes_of(search: Search) -> Wishes:
    """What decides between the deployments of this search."""
    precisions = {one.artifact.name: one.artifact.precision for one in search.assessed}
    return Wishes(search.objectives, search.rate_per_s, precisions)


def reference_point(search: Search) -> SpeedPoint | None:
    """The model as it came: the original's own runtime, one thread, one instance, one row a call."""
    return next(
        (
            point
            for point in search.points
            if point.deployment.artifact == "original"
            and (point.deployment.session.threads, point.deployment.instances, point.batch_rows) == (1, 1, 1)
        ),
        None,
    )


def conclusion(search: Search) -> dict[str, Any]:
    """Winner, speed-up, verdicts, reasons and advice, from what the record holds: a pure function of it."""
    lead = _lead(search)
    if lead is not None:
        point, proof, deployment = lead.speed, lead.proof, lead.deployment
    else:
        chosen = shortlist(search.points, wishes_of(search))
        if not chosen:
            return {"winner": None, "verdicts": _failed_verdicts(search), "advice": advice_for(search, None)}
        point, proof, deployment = chosen[0], None, chosen[0].deployment
    assessed = next(one for one in search.assessed if one.artifact.name == point.deployment.artifact)
    verdicts = (*assessed.verdicts, *(proof.verdict.objectives if proof is not None else ()))
    speedup = speed_up(search, point)
    decided = msgspec.structs.replace(search, winner=deployment, speedup=speedup, verdicts=verdicts)
    return {
        "winner": deployment,
        "speedup": speedup,
        "verdicts": verdicts,
        "why": reasons_for(decided, point),
        "advice": advice_for(decided, point),
    }


def _failed_verdicts(search: Search) -> tuple[Any, ...]:
    original = next((one for one in search.assessed if one.artifact.name == "original"), None)
    return original.verdicts if original is not None else ()


def speed_up(search: Search, winner: SpeedPoint) -> SpeedUp | None:
    """The winner against the model as it came; None when either was not measured side by side with the other."""
    reference = reference_point(search)
    if reference is None or len(reference.blocks) < 2:
        return None
    same = next(
        (
            point
            for point in search.points
            if point.deployment.artifact == "original"
            and point.deployment.runtime == reference.deployment.runtime
            and point.deployment.session.threads == point.deployment.instances == 1
            and point.batch_rows == winner.batch_rows
        ),
        None,
    )
    return SpeedUp(
        ratio=speed_ratio(winner, reference),
        same_batch=speed_ratio(winner, same) if same is not None and len(same.blocks) >= 2 else None,
        reference=reference,
    )
