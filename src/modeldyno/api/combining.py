"""`combine`: several bundles as one."""

import contextlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import msgspec

from modeldyno import __version__
from modeldyno.api.combined.cascade_choice import Judge
from modeldyno.api.combined.graph import JoinRule, Kind, build_graph, check_rule, task_of
from modeldyno.api.combined.part_answers import Answering
from modeldyno.api.combined.parts import Part, parts_at
from modeldyno.api.combined.quality import measured, measured_cascade
from modeldyno.api.combined.samples import rows_for, samples_for
from modeldyno.api.combined.threshold_check import check_thresholds
from modeldyno.api.evaluation import quality_objectives
from modeldyno.api.judging.answers import resolved_task
from modeldyno.api.served.pipelines import open_member
from modeldyno.clock import Clock, SystemClock
from modeldyno.data.files import open_dataset
from modeldyno.deployment.bundle import refuse_existing
from modeldyno.deployment.pipeline_bundle import write_pipeline
from modeldyno.errors import DataError, UsageError
from modeldyno.machine.environment import capture_environment
from modeldyno.processing.graph import plan_pipeline
from modeldyno.processing.session import PipelineSession
from modeldyno.protocols import Dataset, Progress, Session, Silent
from modeldyno.records.combination import Combination
from modeldyno.records.objective import Objective
from modeldyno.records.pipeline import Cascade, Node, Pipeline
from modeldyno.records.signature import Signature
from modeldyno.seeds import DEFAULT_SEED

Place = str | PathLike[str]


def combine(  # noqa: PLR0913 - keyword-only, each an option of the verb
    kind: Kind,
    bundles: Sequence[Place],
    *,
    out: Place,
    rule: JoinRule | None = None,
    name: str = "",
    slo: str = "",
    data: Place | None = None,
    label: str | None = None,
    force: bool = False,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Combination:
    """Make one servable directory of several bundles, and measure on labelled rows how right it answers.

    Args:
        kind: `sequence`: what comes out of one goes into the next. `ensemble`: all answer, and their answers become
            one. `cascade`: the first answers, and passes rows on that it is not sure of.
        bundles: directories written by `tune` or by this; in a sequence also `.json` files with operations
            (`modeldyno.records.processing.Processing`).
        out: where it goes; the bundles are copied.
        rule: how the models become one.
        name: on the server; empty: the name of `out`, without its ending.
        slo: quality objectives, such as `"accuracy_drop<=0.5%"`: from the last model to a cascade, from the first to
            an ensemble. Where one is not met, nothing is written.
        data: file with rows and labels.
        label: column or array that holds the labels.
        force: replace what is there.
        seed: of the resampling.
        progress: where to report how far it is.
        clock: the clock of the record.

    Raises:
        InputError: one is no sound plain bundle.
        UsageError: they do not fit together; names the place.
        DataError: the data do not fit, or have no labels.
        ObjectiveError: an objective does not parse or is not about quality.
        OutputError: the place is taken or cannot be written.
    """
    progress, clock, rule, place = progress or Silent(), clock or SystemClock(), rule or JoinRule(), Path(out)
    check_rule(kind, rule)
    _check(name, data, label)
    refuse_existing(place, force=force)
    objectives = quality_objectives(slo, has_reference=kind != "sequence", verb="combine")
    if objectives and data is None:
        raise UsageError("objectives are judged on labelled rows", hint="give them with --data FILE")
    parts = _parts(kind, bundles)
    graph = build_graph(kind, parts, rule, _signatures(parts), may_choose=bool(objectives))
    pipeline = _pipeline(name or _stem(place), graph, parts, kind, clock.wall_time())
    combination = _begun(pipeline, objectives)
    with contextlib.ExitStack() as stack:
        sessions = _opened(parts, stack)
        dataset = None if data is None else open_dataset(Path(data), pipeline.signature, label=label)
        if rule.thresholds and isinstance(graph, Cascade):
            rows = rows_for(dataset, _first(parts), pipeline.signature, seed=seed)
            check_thresholds(graph, _signatures(parts), sessions, rows)
        if dataset is not None:
            combination = _measured(
                combination,
                parts,
                dataset,
                sessions,
                chooses=not rule.thresholds,
                seed=seed,
                clock=clock,
                progress=progress,
            )
        if any(one.verdict != "pass" for one in combination.verdicts):
            return combination
        return _written(combination, parts, dataset, sessions, place, force=force, seed=seed)


def _parts(kind: Kind, bundles: Sequence[Place]) -> Sequence[Part]:
    parts = parts_at([Path(one) for one in bundles], takes_files=kind == "sequence")
    if not any(part.members for part in parts):
        raise UsageError("there is no model to combine", hint="name at least one bundle")
    return parts


def _begun(pipeline: Pipeline, objectives: tuple[Objective, ...]) -> Combination:
    """The record before anything was measured or written."""
    return Combination(
        tool_version=__version__,
        combined_at=pipeline.created_at,
        environment=capture_environment(),
        out=None,
        pipeline=pipeline,
        data=None,
        objectives=objectives,
    )


def _check(name: str, data: Place | None, label: str | None) -> None:
    if name and (not name.isprintable() or any(one.isspace() or one in "/\\?#%" for one in name)):
        raise UsageError(
            f"{name!r} cannot be the name of a model on a server",
            why="it is part of the path of every request",
            hint="use letters, digits, dots, dashes and underscores: --name digits-cascade",
        )
    if label is not None and data is None:
        raise UsageError(f"there are no data with a column {label!r}", hint="give rows with --data FILE")


def _stem(place: Path) -> str:
    return place.name.partition(".")[0] or "pipeline"


def _pipeline(name: str, graph: Node, parts: Sequence[Part], kind: Kind, created_at: str) -> Pipeline:
    task, classes = task_of(kind, parts)
    return Pipeline(
        tool_version=__version__,
        created_at=created_at,
        name=name,
        task=task,
        classes=classes,
        signature=plan_pipeline(graph, _signatures(parts)).signature,
        graph=graph,
        files={},
    )


def _signatures(parts: Sequence[Part]) -> dict[str, Signature]:
    return {member: one for part in parts for member, one in part.signatures.items()}


def _first(parts: Sequence[Part]) -> Path | None:
    """The bundle of the first member, if the first part has one."""
    return next(iter(parts[0].members.values()), None)


def _opened(parts: Sequence[Part], stack: contextlib.ExitStack) -> dict[str, Session]:
    sessions: dict[str, Session] = {}
    for part in parts:
        for member, path in part.members.items():
            sessions[member] = open_member(path)
            stack.callback(sessions[member].close)
    return sessions


def _measured(
    combination: Combination,
    parts: Sequence[Part],
    dataset: Dataset,
    sessions: Mapping[str, Session],
    *,
    chooses: bool,
    seed: int,
    clock: Clock,
    progress: Progress,
) -> Combination:
    combination = msgspec.structs.replace(combination, data=dataset.describe())
    labels, pipeline = dataset.labels, combination.pipeline
    if labels is None:
        if combination.objectives:
            raise DataError(
                "the data have no labels",
                why="quality is the agreement with labels",
                hint="name the label column or array with --label",
            )
        return combination
    judge = Judge(dataset, labels, resolved_task(pipeline.task, labels), combination.objectives, seed)
    answering = Answering(
        inputs={spec.name: spec for spec in pipeline.signature.inputs},
        signatures=_signatures(parts),
        sessions=sessions,
        dataset=dataset,
        task=judge.task,
        classes=pipeline.classes,
        clock=clock,
        progress=progress,
    )
    if isinstance(pipeline.graph, Cascade):
        return measured_cascade(
            combination, pipeline.graph, parts, answering, judge, chooses=chooses, progress=progress
        )
    return measured(combination, parts, answering, judge)


def _written(
    combination: Combination,
    parts: Sequence[Part],
    dataset: Dataset | None,
    sessions: Mapping[str, Session],
    place: Path,
    *,
    force: bool,
    seed: int,
) -> Combination:
    session = PipelineSession(plan_pipeline(combination.pipeline.graph, _signatures(parts)), sessions)
    samples = samples_for(session, dataset, _first(parts), seed=seed)
    members = {member: path for part in parts for member, path in part.members.items()}
    written = write_pipeline(place, combination.pipeline, members=members, samples=samples, force=force)
    return msgspec.structs.replace(combination, out=str(place), pipeline=written)
