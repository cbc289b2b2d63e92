"""`profile`: how fast a model computes in process, where its time and memory go, and how far from the limit it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from modeldyno import __version__
from modeldyno.api.artifacts.choices import runtime_named
from modeldyno.api.artifacts.gaps import gaps_of
from modeldyno.api.profiled.anatomy import PROFILED, dissect
from modeldyno.api.profiled.first_call import FirstCallTerms, first_calls
from modeldyno.api.profiled.peaks import peaks_of
from modeldyno.api.profiled.subject import Profiled, profiled_at
from modeldyno.api.workshop.lanes import batch_of, open_lanes
from modeldyno.bench.lanes import Lanes
from modeldyno.bench.race import Entrant, RaceRules, run_race
from modeldyno.bench.standings import standings
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import DynoError, UsageError
from modeldyno.machine.environment import capture_environment
from modeldyno.protocols import Dataset, Progress, Silent
from modeldyno.records.artifact import Model
from modeldyno.records.deployment import RuntimeName
from modeldyno.records.environment import Environment
from modeldyno.records.signature import DATATYPES, TensorSpec
from modeldyno.records.speed import Profile, SpeedPoint
from modeldyno.search.space import batch_sizes, deployment, thread_shapes
from modeldyno.seeds import DEFAULT_SEED

ROUNDS = 200
"""More than any budget allows; the deadline ends the race."""
RACE_SHARE, ANATOMY_SHARE = 0.5, 0.25
"""Of the budget; the rest is for processes that are started anew."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be measured."""

    subject: Profiled
    dataset: Dataset
    sizes: list[int]
    shapes: list[tuple[int, int]]
    """Threads and instances."""
    environment: Environment
    started_ns: int
    budget_ns: int
    trust: bool

    def until(self, share: float) -> int:
        """The moment at which so much of the budget is spent."""
        return self.started_ns + round(self.budget_ns * share)


@dataclass(slots=True)
class _Found:
    """What has been measured so far: fields of a `Profile`."""

    entrants: list[Entrant] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)


def profile(  # noqa: PLR0913 - keyword-only, each an option of the verb
    model: str | PathLike[str],
    *,
    data: str | PathLike[str] | None = None,
    label: str | None = None,
    batches: Sequence[int] = (),
    threads: Sequence[int] = (),
    instances: Sequence[int] = (),
    budget_ns: int = 20_000_000_000,
    trust: bool = False,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Profile:
    """Speed for batch sizes, threads and instances in interleaved blocks; then operators, layers, memory, first call.

    The first time on a machine its peaks are measured and kept as well, which takes some seconds beyond the budget.

    Args:
        model: model file or bundle.
        data: rows to feed it; without, inputs are made from the signature.
        label: column or array with the labels, so that it is not taken for a feature.
        batches: rows per call to try; 1, 2, 4, ... 64 when empty.
        threads: compute threads to try; 1, 2, 4, ... up to the cores of this process when empty.
        instances: sessions that compute at once, with one thread each; as many as there are cores when empty.
        budget_ns: how long to measure.
        trust: allow files that can run code when they are loaded.
        seed: of made-up inputs.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Raises:
        InputError, TrustError, DataError: see `inspect` and `evaluate`.
        UsageError: a batch, thread or instance count below 1, or batches for a model without a batch dimension.
    """
    progress, clock = progress or Silent(), clock or SystemClock()
    environment = capture_environment()
    subject = profiled_at(Path(model), trust=trust)
    sizes = _batches(subject.model, batches)
    shapes = _shapes(threads, instances, environment.cores)
    dataset = (
        synthetic_dataset(subject.model.signature, rows=max(sizes), seed=seed)
        if data is None
        else open_dataset(
            Path(data), subject.model.signature, label=label, takes_gaps=gaps_of(subject.artifact, trust=trust)
        )
    )
    started_at = clock.wall_time()
    found, interrupted = _Found(), False
    try:
        if PROFILED & set(subject.runtimes):  # without operators there is nothing to hold against peaks
            threads_of_one = sorted({count for count, many in shapes if many == 1})
            found.fields["peaks"] = peaks_of(environment, threads_of_one, renew=False, clock=clock, progress=progress)
        plan = _Plan(subject, dataset, sizes, shapes, environment, clock.now_ns(), budget_ns, trust)
        _measure(plan, found, clock, progress)
    except KeyboardInterrupt:
        interrupted = True
        progress.end()
    return Profile(
        tool_version=__version__,
        started_at=started_at,
        environment=environment,
        model=subject.model,
        state="interrupted" if interrupted else "complete",
        points=standings(found.entrants),
        refused=tuple(found.left_out),
        bundle=subject.bundle,
        data="" if data is None else dataset.describe(),
        **found.fields,
    )


def _batches(model: Model, asked: Sequence[int]) -> list[int]:
    can_batch = model.signature.has_batch_dimension
    if any(size < 1 for size in asked):
        raise UsageError(f"a batch has at least one row, not {min(asked)}")
    if not can_batch and any(size > 1 for size in asked):
        raise UsageError(f"{model.path} takes one row a call: its signature has no batch dimension")
    return sorted(set(asked)) or batch_sizes(can_batch=can_batch)


def _shapes(threads: Sequence[int], instances: Sequence[int], cores: int) -> list[tuple[int, int]]:
    """Threads of a single instance, and instances of a single thread."""
    if any(count < 1 for count in threads):
        raise UsageError(f"a session computes with at least one thread, not {min(threads)}")
    if any(count < 1 for count in instances):
        raise UsageError(f"a deployment has at least one instance, not {min(instances)}")
    usual = thread_shapes(cores)
    wide = [(count, 1) for count in threads] or [shape for shape in usual if shape[1] == 1]
    many = [(1, count) for count in instances]
    if not threads and not instances:
        many = [shape for shape in usual if shape[0] == 1]
    return sorted({*wide, *many})


def _measure(plan: _Plan, found: _Found, clock: Clock, progress: Progress) -> None:
    """Fill `found`, so that what was measured before an interruption is kept."""
    _count(plan, found)
    try:
        _open_all(plan, found, clock)
        rules = RaceRules(rounds=ROUNDS, deadline_ns=plan.until(RACE_SHARE))
        outcome = run_race(found.entrants, rules, clock=clock, progress=progress)
        found.left_out += [f"{one.label}: {reason}" for one, reason in outcome.left_out]
    finally:
        for lanes in {id(entrant.lanes): entrant.lanes for entrant in found.entrants}.values():
            lanes.close()
    _cut_open(plan, found, clock, progress)
    _start_anew(plan, found, clock, progress)


def _count(plan: _Plan, found: _Found) -> None:
    """What one row costs and weighs, before anything is measured."""
    row = batch_of(plan.dataset, 1)
    found.fields["input_bytes_per_item"] = sum(array.nbytes for array in row.values() if array.dtype != object) or None
    found.fields["output_bytes_per_item"] = _row_bytes(plan.subject.model.signature.outputs)
    try:
        found.fields["cost"] = plan.subject.cost(row)
    except DynoError as problem:
        found.left_out.append(problem.in_a_line)


def _row_bytes(specs: Sequence[TensorSpec]) -> int | None:
    """Of one row; None where a text or an open dimension may be of any length."""
    total = 0
    for spec in specs:
        sizes = spec.shape[1:]
        if spec.datatype == "BYTES" or any(isinstance(size, str) for size in sizes):
            return None
        total += np.dtype(DATATYPES[spec.datatype]).itemsize * prod(size for size in sizes if isinstance(size, int))
    return total or None


def _open_all(plan: _Plan, found: _Found, clock: Clock) -> None:
    """An entrant for each runtime, shape and batch; a runtime that cannot open the model is left out, but not the last.

    Raises:
        DynoError: no runtime could open it.
    """
    failed: list[DynoError] = []
    for name in plan.subject.runtimes:
        try:
            found.entrants += _entrants_in(name, plan, clock)
        except DynoError as problem:
            failed.append(problem)
            found.left_out.append(f"{name}: {problem.in_a_line}")
    if not found.entrants:
        raise failed[0]
    # The profile shows every point with its interval, so nobody is dropped for being slow.
    for entrant in found.entrants:
        entrant.keep = True


def _entrants_in(name: RuntimeName, plan: _Plan, clock: Clock) -> list[Entrant]:
    entrants: list[Entrant] = []
    subject, runtime = plan.subject, runtime_named(name, trust=plan.trust, entry=plan.subject.artifact.entry)
    for threads, instances in plan.shapes:
        lanes: Lanes | None = None
        for size in plan.sizes:
            one = deployment(subject.artifact.name, name, threads=threads, instances=instances, batch=size)
            one = replace(one, session=replace(subject.settings, threads=threads))
            lanes = lanes or open_lanes(runtime, subject.artifact, one, clock=clock)
            entrants.append(Entrant(deployment=one, lanes=lanes, batch=batch_of(plan.dataset, size)))
    return entrants


def _cut_open(plan: _Plan, found: _Found, clock: Clock, progress: Progress) -> None:
    """The anatomy of a call at the smallest batch, and at the fastest."""
    chosen = _worth_cutting(standings(found.entrants))
    progress.start("looking inside a call", total=len(chosen))
    for number, point in enumerate(chosen, 1):
        anatomy = dissect(
            plan.subject.artifact,
            point.deployment,
            batch_of(plan.dataset, point.batch_rows),
            peaks=found.fields.get("peaks"),
            deadline_ns=plan.until(RACE_SHARE + ANATOMY_SHARE * number / len(chosen)),
            clock=clock,
            trust=plan.trust,
        )
        found.fields["anatomies"] = (*found.fields.get("anatomies", ()), anatomy)
        progress.advance(number)
    progress.end()


def _worth_cutting(points: Sequence[SpeedPoint]) -> list[SpeedPoint]:
    """Of single instances in the fastest runtime: the smallest batch with the fewest threads, and the fastest."""
    alone = [point for point in points if point.deployment.instances == 1]
    if not alone:
        return []
    fastest = max(alone, key=lambda point: point.items_per_s.value)
    same = [point for point in alone if point.deployment.runtime == fastest.deployment.runtime]
    smallest = min(same, key=lambda point: (point.batch_rows, point.deployment.session.threads))
    return [smallest] if smallest is fastest else [smallest, fastest]


def _start_anew(plan: _Plan, found: _Found, clock: Clock, progress: Progress) -> None:
    """Cold starts and memory, in processes of their own."""
    progress.start("starting processes for the first call")
    smallest = min(found.entrants, key=lambda one: (one.batch_rows, one.cores))
    try:
        found.fields["cold_start"], found.fields["memory"] = first_calls(
            plan.subject.artifact,
            smallest.deployment,
            smallest.batch,
            repeats=max(plan.sizes) // smallest.batch_rows,
            terms=FirstCallTerms(trust=plan.trust, environment=plan.environment, deadline_ns=plan.until(1)),
            clock=clock,
        )
    except DynoError as problem:
        found.left_out.append(f"first call in a process of its own: {problem.in_a_line}")
    progress.end()
