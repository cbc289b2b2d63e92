"""`compare`: B against A, from two stored runs, or from two targets loaded in blocks that take turns."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path

import msgspec
import numpy as np

from modeldyno import __version__
from modeldyno.api.load.targets import is_bundle, is_url, running_target
from modeldyno.api.load.turns import BlockPlan, Part, load_in_turns
from modeldyno.api.reporting import COMPARISON, RUN
from modeldyno.clock import Clock, SystemClock
from modeldyno.errors import InputError, OutputError, UsageError
from modeldyno.loadgen.recorder import read_run
from modeldyno.protocols import Progress, Silent
from modeldyno.records.answers import wrong_answers
from modeldyno.records.comparison import Comparison, Difference, Method, Side
from modeldyno.records.files import write_record
from modeldyno.stats.comparability import differences_of, environment_differences, workload_differences
from modeldyno.stats.comparison import LEAST_BLOCKS, Measured, Terms, compare_measured, least_requests
from modeldyno.stats.summary import count_failures, measured_rows

_MOST_INVALID = 0.25
"""Share of a side's blocks that may be invalid: single short blocks fail a check of steadiness by chance."""


def compare(
    a: str | PathLike[str],
    b: str | PathLike[str],
    *,
    terms: Terms | None = None,
    plan: BlockPlan | None = None,
    out: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> tuple[Comparison, Path | None]:
    """Whether B is better or worse than A, and whether it is worse than allowed.

    Args:
        a: directory of a stored run; or a target: base URL of a server, or directory of a bundle.
        b: the same for the other; a run is compared with a run, a target with a target.
        terms: the metrics, the margin and the regression allowed.
        plan: how to load two targets; stored runs need none.
        out: directory for the blocks of two targets; made from the time when None.
        progress: where to report how far it is.
        clock: the clock to measure with.

    Returns:
        The record and, for two targets, the directory that holds it with the runs of all blocks.

    Raises:
        InputError: a source holds no run and no bundle, or a run that never finished.
        UsageError: a run against a target, targets without a plan, or models that take different inputs.
        TargetError: a server cannot be reached or does not offer the model.
        KeyboardInterrupt: stopped by the user before there were four whole turns; the runs are kept.
    """
    progress, clock, terms = progress or Silent(), clock or SystemClock(), terms or Terms()
    sources = (str(a), str(b))
    live = [_is_target(source) for source in sources]
    if not any(live):
        parts = [[_stored(source)] for source in sources]
        return _concluded(sources, parts, terms=terms, method="stored_runs", facts=[], clock=clock), None
    if not all(live):
        raise UsageError(
            "a stored run cannot be compared with a live target",
            why="they did not take turns under the same load",
            hint="give two runs, or two URLs or bundles",
        )
    if plan is None:
        raise UsageError("two targets need a rate to be loaded at", hint="for example --rate 500")
    return _compare_targets(sources, plan, terms, out=out, progress=progress, clock=clock)


def _is_target(source: str) -> bool:
    if is_url(source) or is_bundle(source):
        return True
    if (Path(source) / RUN).is_file():
        return False
    if not Path(source).exists():
        raise InputError(f"{source} does not exist", hint="give directories of runs, bundles, or URLs")
    raise InputError(
        f"{source} is no run and no bundle",
        why=f"there is neither {RUN} nor bundle.json in it",
        hint="dyno load prints the directory of its run, dyno tune that of its bundle",
    )


def _stored(source: str) -> Part:
    run, requests = read_run(Path(source))
    if run.verdict is None or run.summary is None:
        raise InputError(
            f"{source} holds a run that never finished",
            why=f"it is marked {run.state} and was not judged",
            hint="measure it again with: dyno load",
        )
    return Part(run=run, rows=measured_rows(requests), directory=Path(source))


def _compare_targets(
    sources: tuple[str, str],
    plan: BlockPlan,
    terms: Terms,
    *,
    out: str | PathLike[str] | None,
    progress: Progress,
    clock: Clock,
) -> tuple[Comparison, Path]:
    _check_length(plan, terms)
    directory = _place(out, clock)
    with ExitStack() as stack:
        targets = [
            stack.enter_context(running_target(source, ask=plan.ask, log=directory / f"server-{side}.log", clock=clock))
            for side, source in zip("ab", sources, strict=True)
        ]
        parts = load_in_turns(targets, plan, directory, progress=progress, clock=clock)
    facts = differences_of(targets[0].facts, targets[1].facts)
    found = _concluded(sources, parts, terms=terms, method="interleaved_blocks", facts=facts, clock=clock)
    if found.blocks < plan.blocks:
        stopped = f"stopped after {found.blocks} of {plan.blocks} turns"
        found = msgspec.structs.replace(found, state="interrupted", notes=(stopped, *found.notes))
    write_record(directory / COMPARISON, found)
    return found, directory


def _check_length(plan: BlockPlan, terms: Terms) -> None:
    """Refuse at once what would say after minutes that it cannot tell."""
    if plan.blocks < LEAST_BLOCKS:
        raise UsageError(f"{plan.blocks} blocks are too few to compare", hint=f"--blocks {LEAST_BLOCKS} or more")
    held = plan.rate_per_s * plan.shape.duration_ns / plan.blocks / 1e9
    needed, metric = max((least_requests(one), one) for one in terms.metrics)
    if held < needed:
        seconds = math.ceil(needed * plan.blocks / plan.rate_per_s)
        raise UsageError(
            f"blocks of {held:.0f} requests are too short to compare {metric}",
            why=f"{metric} needs {needed:,} requests in each block",
            hint=f"--duration {seconds}s or longer, fewer --blocks, or another --metric",
        )


def _place(out: str | PathLike[str] | None, clock: Clock) -> Path:
    stamp = clock.wall_time().replace(":", "").replace("-", "").split("+")[0]
    directory = Path(out) if out is not None else Path("out") / f"{stamp}.compare"
    if directory.exists() and any(directory.iterdir()):
        raise OutputError(f"{directory} is not empty", hint="choose another --out, or leave it out for a new name")
    return directory


def _concluded(
    sources: tuple[str, str],
    parts: Sequence[Sequence[Part]],
    *,
    terms: Terms,
    method: Method,
    facts: Sequence[Difference],
    clock: Clock,
) -> Comparison:
    first, second = parts[0][0].run, parts[1][0].run
    differences = (
        *facts,
        *environment_differences(first.environment, second.environment),
        *workload_differences(first.requested, second.requested),
    )
    sides = [_side(source, of_side) for source, of_side in zip(sources, parts, strict=True)]
    spoilt = [_invalid_blocks(name, of_side) for name, of_side in zip("AB", parts, strict=True)]
    reasons = [
        f"they were not offered the same load: {one.name} is {one.a} at A and {one.b} at B"
        for one in differences
        if one.forbids_verdict
    ]
    reasons += [text for text, is_too_much in spoilt if is_too_much]
    reasons += [text for name, of_side in zip("AB", parts, strict=True) if (text := _wrong_answers(name, of_side))]
    notes = [text for text, is_too_much in spoilt if text and not is_too_much]
    if method == "stored_runs":
        notes.append(
            "the two runs did not take turns: what changed on the machine between them is in the ratios; two URLs or "
            "bundles are loaded in turns"
        )
    measured = [[Measured(rows=one.rows, workload=one.run.requested) for one in of_side] for of_side in parts]
    return Comparison(
        tool_version=__version__,
        compared_at=clock.wall_time(),
        method=method,
        blocks=len(parts[0]),
        margin=terms.margin,
        max_regression=terms.max_regression,
        differences=differences,
        a=sides[0],
        b=sides[1],
        metrics=compare_measured(measured[0], measured[1], terms),
        measurement="invalid" if reasons else "valid",
        reasons=tuple(reasons),
        notes=tuple(notes),
    )


def _side(source: str, parts: Sequence[Part]) -> Side:
    rows = np.concatenate([part.rows for part in parts])
    return Side(
        source=source,
        model=parts[0].run.requested.model,
        runs=tuple(str(part.directory) for part in parts),
        requests=len(rows),
        failures=count_failures(rows),
        invalid=tuple(_complaint(part) for part in parts if _complaint(part)),
    )


def _wrong_answers(name: str, parts: Sequence[Part]) -> str:
    """What to say of a side that did not answer right; how fast it did so means nothing."""
    verdicts = [part.run.verdict for part in parts if part.run.verdict is not None]
    wrong = next((one for verdict in verdicts if (one := wrong_answers(verdict))), None)
    return f"{name} gave wrong answers: {wrong.evidence}" if wrong is not None else ""


def _complaint(part: Part) -> str:
    """Why a run cannot be believed, in sentences without the last full stop; empty when it is valid."""
    verdict = part.run.verdict
    if verdict is None or verdict.measurement == "valid":
        return ""
    first, *others = verdict.reasons
    return ". ".join([first, *(f"{one[0].upper()}{one[1:]}" for one in others)])


def _invalid_blocks(name: str, parts: Sequence[Part]) -> tuple[str, bool]:
    """What to say of a side's invalid runs, and whether they are too many to conclude anything."""
    complaints = [_complaint(part) for part in parts if _complaint(part)]
    if not complaints:
        return "", False
    if len(parts) == 1:
        return f"the run of {name} is not valid: {complaints[0]}", True
    share = f"{len(complaints)} of {len(parts)}"
    said = f"blocks of {name} that were not valid: {share}, such as: {complaints[0]}"
    return said, len(complaints) > _MOST_INVALID * len(parts)
