"""The real workshop of the search: files, sessions, servers and loads behind `tune.search.Workshop`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modeldyno.api.artifacts.choices import RUNTIMES_OF, runtime_named
from modeldyno.api.artifacts.opening import usual_runtime
from modeldyno.api.load.workloads import Shape, workload_of
from modeldyno.api.profiled.anatomy import dissect
from modeldyno.api.profiled.peaks import peaks_if_kept
from modeldyno.api.workshop.candidates import Maker
from modeldyno.api.workshop.lanes import batch_of, open_lanes
from modeldyno.api.workshop.packing import pack
from modeldyno.api.workshop.proof import proof_directory, proof_requests, prove_bundle, slug
from modeldyno.bench.lanes import Lanes
from modeldyno.bench.race import Entrant, rules_for, run_race
from modeldyno.bench.standings import standings
from modeldyno.clock import Clock
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Dataset
from modeldyno.records.anatomy import Anatomy
from modeldyno.records.artifact import Artifact
from modeldyno.records.deployment import Deployment
from modeldyno.records.objective import Objective
from modeldyno.records.search import Assessed, Finalist, Refusal
from modeldyno.records.speed import SpeedPoint
from modeldyno.records.workload import Repeats
from modeldyno.search.space import deployments, reference_deployment


def is_yardstick(deployment: Deployment) -> bool:
    """Whether others are compared with it, so that it must run to the end.

    That is one lane of the model as it came at every batch size, and one lane of every artifact with single rows.
    """
    is_one_lane = deployment.session.threads == deployment.instances == 1
    return is_one_lane and (deployment.artifact == "original" or deployment.batching.max_rows == 1)


@dataclass(slots=True)
class RealWorkshop:
    """Makes, races and proves for real. `artifacts` is filled by `make_artifacts` or from a stopped search."""

    maker: Maker
    dataset: Dataset
    objectives: tuple[Objective, ...]
    rate_per_s: float
    clock: Clock
    artifacts: dict[str, Artifact]
    repeats: Repeats | None = None
    """How the load of every proof repeats itself."""

    def make_artifacts(self) -> tuple[list[Assessed], list[Refusal]]:
        """See `tune.search.Workshop`."""
        assessed, refused = self.maker.make()
        self.artifacts.update({one.artifact.name: one.artifact for one in assessed})
        return assessed, refused

    def deployments(self, assessed: Sequence[Assessed]) -> list[Deployment]:
        """See `tune.search.Workshop`."""
        original = self.artifacts["original"]
        reference = reference_deployment(usual_runtime(original))
        others = deployments(
            [one.artifact for one in assessed],
            RUNTIMES_OF,
            cores=capture_environment().cores,
            can_batch=original.signature.has_batch_dimension,
        )
        return [reference, *(one for one in others if one != reference)]

    def race(
        self,
        deployments: Sequence[Deployment],
        *,
        deadline_ns: int,
        longest_call_ns: float | None,
        on_points: Callable[[tuple[SpeedPoint, ...]], None],
    ) -> tuple[tuple[SpeedPoint, ...], list[Refusal]]:
        """See `tune.search.Workshop`."""
        lanes: dict[tuple[str, str, int, int], Lanes] = {}
        try:
            entrants = [self._entrant(one, lanes) for one in deployments]
            for entrant in entrants:
                entrant.keep = is_yardstick(entrant.deployment)
            rules = rules_for(
                len(entrants), now_ns=self.clock.now_ns(), deadline_ns=deadline_ns, longest_call_ns=longest_call_ns
            )
            outcome = run_race(
                entrants,
                rules,
                clock=self.clock,
                progress=self.maker.progress,
                on_round=lambda now: on_points(standings(now)),
            )
        finally:
            for one in lanes.values():
                one.close()
        left_out = [Refusal(name=one.label, stage="bench", reason=reason) for one, reason in outcome.left_out]
        return standings(outcome.entrants), left_out

    def _entrant(self, deployment: Deployment, lanes: dict[tuple[str, str, int, int], Lanes]) -> Entrant:
        """Deployments that differ in the batch only share their sessions."""
        key = (deployment.artifact, deployment.runtime, deployment.session.threads, deployment.instances)
        if key not in lanes:
            artifact = self.artifacts[deployment.artifact]
            runtime = runtime_named(deployment.runtime, trust=self.maker.trust, entry=artifact.entry)
            lanes[key] = open_lanes(runtime, artifact, deployment, clock=self.clock)
        batch = batch_of(self.dataset, deployment.batching.max_rows)
        return Entrant(deployment=deployment, lanes=lanes[key], batch=batch)

    def dissect(self, points: Sequence[SpeedPoint], *, deadline_ns: int) -> tuple[Anatomy, ...]:
        """See `tune.search.Workshop`."""
        progress, started_ns, found = self.maker.progress, self.clock.now_ns(), []
        peaks = peaks_if_kept(capture_environment(), progress)
        progress.start("looking inside what was slower than expected", total=len(points))
        for number, point in enumerate(points, 1):
            anatomy = dissect(
                self.artifacts[point.deployment.artifact],
                point.deployment,
                batch_of(self.dataset, point.batch_rows),
                peaks=peaks,
                deadline_ns=started_ns + (deadline_ns - started_ns) * number // len(points),
                clock=self.clock,
                trust=self.maker.trust,
            )
            found.append(anatomy)
            progress.advance(number)
        progress.end()
        return tuple(found)

    def prove(self, point: SpeedPoint, deployment: Deployment, *, duration_ns: int) -> Finalist:
        """See `tune.search.Workshop`."""
        work, model = self.maker.work, self.maker.model
        bundle = work / "bundles" / slug(deployment)
        self.pack(deployment, bundle)
        shape = Shape(duration_ns=duration_ns, seed=self.maker.seed, repeats=self.repeats)
        plan = workload_of("http://127.0.0.1", model.name, self.rate_per_s, shape)
        requests, marked_after = proof_requests(plan, self.dataset, model.signature)
        proof = prove_bundle(
            bundle,
            requests,
            [one for one in self.objectives if not one.is_about_quality and one.metric != "size"],
            workload_at=lambda url: msgspec.structs.replace(plan, url=url),
            directory=proof_directory(work, deployment),
            progress=self.maker.progress,
            clock=self.clock,
            trust=self.maker.trust,
        )
        proof = msgspec.structs.replace(proof, marked_after=marked_after)
        return Finalist(deployment=deployment, speed=point, proof=proof)

    def pack(self, deployment: Deployment, directory: Path) -> None:
        """Write an unproven bundle of a deployment, for a proof."""
        pack(
            deployment,
            self.artifacts[deployment.artifact],
            self.maker,
            directory=directory,
            datasheet=None,
            clock=self.clock,
            force=True,
        )
