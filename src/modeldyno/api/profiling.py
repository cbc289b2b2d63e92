"""`profile`: in-process inference speed of a model as it came, for batch sizes and thread counts."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from modeldyno import __version__
from modeldyno.api.choices import RUNTIMES_OF, runtime_named
from modeldyno.api.lanes import batch_of, open_lanes
from modeldyno.bench.lanes import Lanes
from modeldyno.bench.race import Entrant, RaceRules, run_race
from modeldyno.bench.standings import standings
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import UsageError
from modeldyno.machine.environment import capture_environment
from modeldyno.models.examine import examine
from modeldyno.protocols import Dataset, Progress, Silent
from modeldyno.records.artifact import Artifact, Model
from modeldyno.records.speed import Profile
from modeldyno.search.space import batch_sizes, deployment
from modeldyno.seeds import DEFAULT_SEED

ROUNDS = 200
"""More than any budget allows; the deadline ends the race."""


def profile(  # noqa: PLR0913 - keyword-only, each an option of the verb
    model: str | PathLike[str],
    *,
    data: str | PathLike[str] | None = None,
    label: str | None = None,
    batches: Sequence[int] = (),
    threads: Sequence[int] = (),
    budget_ns: int = 15_000_000_000,
    trust: bool = False,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Profile:
    """Items per second for each batch size and thread count, measured in interleaved blocks.

    Args:
        model: model file.
        data: rows to feed it; without, inputs are made from the signature.
        label: column or array with the labels, so that it is not taken for a feature.
        batches: rows per call to try; 1, 2, 4, ... 64 when empty.
        threads: compute threads to try; 1, 2, 4, ... up to the cores of this process when empty.
        budget_ns: how long to measure.
        trust: allow files that can run code when they are loaded.
        seed: of made-up inputs.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Raises:
        InputError, TrustError, DataError: see `inspect` and `evaluate`.
        UsageError: a batch or thread count below 1, or batches for a model without a batch dimension.
    """
    progress, clock = progress or Silent(), clock or SystemClock()
    environment = capture_environment()
    examined = examine(Path(model), trust=trust)
    sizes = _batches(examined, batches)
    counts = _threads(threads, environment.cores)
    dataset = (
        synthetic_dataset(examined.signature, rows=max(sizes), seed=seed)
        if data is None
        else open_dataset(Path(data), examined.signature, label=label)
    )
    started_at, deadline_ns = clock.wall_time(), clock.now_ns() + budget_ns
    entrants = _entrants(examined, dataset, sizes, counts, clock, trust=trust)
    state: Literal["complete", "interrupted"] = "complete"
    left_out: tuple[str, ...] = ()
    try:
        # The profile shows every point with its interval, so nobody is dropped for being slow.
        for entrant in entrants:
            entrant.keep = True
        rules = RaceRules(rounds=ROUNDS, deadline_ns=deadline_ns)
        outcome = run_race(entrants, rules, clock=clock, progress=progress)
        left_out = tuple(f"{one.label}: {reason}" for one, reason in outcome.left_out)
    except KeyboardInterrupt:
        state = "interrupted"
        progress.end()
    finally:
        for lanes in {id(entrant.lanes): entrant.lanes for entrant in entrants}.values():
            lanes.close()
    return Profile(
        tool_version=__version__,
        started_at=started_at,
        environment=environment,
        model=examined,
        state=state,
        points=standings(entrants),
        refused=left_out,
    )


def _batches(model: Model, asked: Sequence[int]) -> list[int]:
    can_batch = model.signature.has_batch_dimension
    if any(size < 1 for size in asked):
        raise UsageError(f"a batch has at least one row, not {min(asked)}")
    if not can_batch and any(size > 1 for size in asked):
        raise UsageError(f"{model.path} takes one row a call: its signature has no batch dimension")
    return sorted(set(asked)) or batch_sizes(can_batch=can_batch)


def _threads(asked: Sequence[int], cores: int) -> list[int]:
    if any(count < 1 for count in asked):
        raise UsageError(f"a session computes with at least one thread, not {min(asked)}")
    return sorted(set(asked)) or [2**power for power in range(cores.bit_length()) if 2**power <= cores]


def _entrants(
    model: Model, dataset: Dataset, sizes: Sequence[int], counts: Sequence[int], clock: Clock, *, trust: bool
) -> list[Entrant]:
    artifact = Artifact(
        name="original",
        path=model.path,
        format=model.format,
        precision=model.precision,
        recipe="as it came",
        digest=model.digest,
        size_bytes=model.size_bytes,
        parent_digest=None,
        signature=model.signature,
    )
    entrants: list[Entrant] = []
    for name in RUNTIMES_OF[model.format]:
        runtime = runtime_named(name, trust=trust)
        for count in counts:
            lanes: Lanes | None = None
            for size in sizes:
                one = deployment("original", name, threads=count, instances=1, batch=size)
                lanes = lanes or open_lanes(runtime, artifact, one, clock=clock)
                entrants.append(Entrant(deployment=one, lanes=lanes, batch=batch_of(dataset, size)))
    return entrants
