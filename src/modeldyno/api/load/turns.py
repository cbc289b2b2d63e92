"""Two targets loaded in blocks that take turns."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from modeldyno.api.load.measuring import measure
from modeldyno.api.load.questions.ask import Ask, Prepared
from modeldyno.api.load.targets import Target
from modeldyno.api.load.workloads import Shape, sizes_of, workload_of
from modeldyno.clock import Clock
from modeldyno.errors import UsageError
from modeldyno.protocols import Progress, Silent
from modeldyno.records.run import Run
from modeldyno.seeds import child_seed
from modeldyno.stats.comparison import LEAST_BLOCKS
from modeldyno.stats.summary import measured_rows


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """How two live targets are loaded in turns."""

    rate_per_s: float
    blocks: int = 8
    """Counted blocks of each; a first pair before them warms both up and is not counted."""
    ask: Ask = field(default_factory=Ask)
    shape: Shape = field(default_factory=lambda: Shape(duration_ns=20_000_000_000, warmup_ns=500_000_000))
    """Its duration is that of all counted blocks of one target together; its warm-up comes before each block."""


@dataclass(frozen=True, slots=True)
class Part:
    """One run behind a side of a comparison."""

    run: Run
    rows: np.ndarray
    directory: Path


def block_order(turns: int) -> list[tuple[int, int]]:
    """Turn and side (0 for A) of every block: A B B A A B B A, so that what drifts with time weighs on both alike."""
    return [(turn, side) for turn in range(turns) for side in ((0, 1), (1, 0))[turn % 2]]


def load_in_turns(
    targets: Sequence[Target], plan: BlockPlan, directory: Path, *, progress: Progress, clock: Clock
) -> list[list[Part]]:
    """Every counted block of the two targets, pair by pair: A's, then B's.

    Stopped by the user, it returns the turns that were whole.

    Raises:
        UsageError: the two models take different inputs.
        KeyboardInterrupt: stopped before there were `LEAST_BLOCKS` whole turns; the runs are kept.
    """
    _check_inputs(targets)
    sizes = sizes_of(workload_of("", "", plan.rate_per_s, plan.shape))
    prepared = [target.questions.make(sizes, plan.shape.seed) for target in targets]
    parts: list[list[Part]] = [[], []]
    order = block_order(plan.blocks + 1)
    progress.start(f"{plan.blocks} blocks of each, in turns", total=len(order))
    for done, (turn, side) in enumerate(order, 1):
        place = directory / f"block-{turn:02d}-{'ab'[side]}.run"
        part = _load_block(targets[side], plan, prepared[side], place, turn=turn, clock=clock)
        if part.run.state == "interrupted":
            break  # no number is seen before the end, so that who stops early does not choose the answer
        if turn:
            parts[side].append(part)
        progress.advance(done)
    progress.end()
    whole = min(map(len, parts))
    if whole < LEAST_BLOCKS:
        raise KeyboardInterrupt
    return [of_side[:whole] for of_side in parts]


def _load_block(
    target: Target, plan: BlockPlan, prepared: Prepared, directory: Path, *, turn: int, clock: Clock
) -> Part:
    """One block; both blocks of a turn are sent at the same planned moments."""
    shape = replace(
        plan.shape,
        duration_ns=plan.shape.duration_ns // plan.blocks,
        seed=child_seed(plan.shape.seed, f"block {turn}"),
    )
    questions = target.questions
    workload = workload_of(
        target.url,
        questions.model,
        plan.rate_per_s,
        shape,
        protocol=questions.protocol,
        kinds=prepared.kinds,
        prompting=prepared.prompting,
    )
    run, requests = measure(
        workload,
        prepared.requests,
        (),
        directory=directory,
        server_pids=target.pids,
        progress=Silent(),
        clock=clock,
        wiring=questions.wired(prepared),
    )
    return Part(run=run, rows=measured_rows(requests), directory=directory)


def _check_inputs(targets: Sequence[Target]) -> None:
    """The same requests are sent to both.

    Raises:
        UsageError: the two models take different inputs.
    """
    first, second = (target.questions.signature for target in targets)
    if first is None or second is None:
        return
    if [(one.name, one.datatype, one.shape[1:]) for one in first.inputs] != [
        (one.name, one.datatype, one.shape[1:]) for one in second.inputs
    ]:
        raise UsageError(
            f"{targets[0].source} and {targets[1].source} take different inputs",
            why="the same requests must be sent to both",
            hint="compare two services of the same model",
        )
