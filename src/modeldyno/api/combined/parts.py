"""What is combined: bundles, pipelines and files of operations, as parts of a graph."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from modeldyno.deployment.bundle import PIPELINE, open_bundle
from modeldyno.deployment.pipeline_bundle import member_directory, open_pipeline
from modeldyno.errors import InputError, UsageError
from modeldyno.processing.graph import inputs_of, plan_node
from modeldyno.processing.operations import OPERATIONS
from modeldyno.processing.steps import Specs
from modeldyno.records.artifact import Task
from modeldyno.records.files import read_record
from modeldyno.records.pipeline import Cascade, Ensemble, Member, Node, members_of
from modeldyno.records.pipeline import Sequence as StepSequence
from modeldyno.records.processing import Processing, Rename
from modeldyno.records.signature import Signature


class Part(NamedTuple):
    """One of the things that are combined."""

    source: str
    """As the user wrote it."""
    node: Node
    members: dict[str, Path]
    """Name in the graph to bundle directory."""
    signatures: dict[str, Signature]
    task: Task | None
    """None for operations."""
    classes: tuple[int | str, ...]

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return ", ".join(self.members) or self.source


def parts_at(places: Sequence[Path], *, takes_files: bool) -> list[Part]:
    """The parts at these places; members of the same name are told apart by a number.

    Args:
        places: bundle and pipeline directories, and `.json` files with operations.
        takes_files: whether such files make sense here.

    Raises:
        InputError: one is none of these, or encrypted.
        UsageError: a file of operations where models are needed.
    """
    parts: list[Part] = []
    taken: set[str] = set()
    for place in places:
        part = _part_at(place, taken)
        if part.task is None and not takes_files:
            raise UsageError(
                f"{place} holds operations, and only models can be combined so",
                hint=f"put both in one pipeline first: dyno combine sequence {place} BUNDLE --out DIR",
            )
        taken |= set(part.members)
        parts.append(part)
    return parts


def _part_at(place: Path, taken: set[str]) -> Part:
    if place.suffix == ".json" and not place.is_dir():
        return Part(str(place), _operations_in(place), {}, {}, None, ())
    if (place / PIPELINE).is_file():
        pipeline = open_pipeline(place)
        names = {name: _free_name(f"{pipeline.name}.{name}", taken) for name in members_of(pipeline.graph)}
        members = {new: member_directory(place, old) for old, new in names.items()}
        node, task, classes = _renamed(pipeline.graph, names), pipeline.task, pipeline.classes
    else:
        bundle = open_bundle(place)
        name = _free_name(bundle.name, taken)
        node, members, task, classes = Member(name=name), {name: place}, bundle.task, bundle.origin.classes
    signatures = {name: open_bundle(path).signature for name, path in members.items()}
    return Part(str(place), node, members, signatures, task, classes)


def _operations_in(file: Path) -> Processing:
    try:
        return read_record(file, Processing)
    except InputError as problem:
        if not file.is_file():
            raise
        raise InputError(problem.what, why=problem.why, hint=f"operations are {', '.join(OPERATIONS)}") from problem


def _free_name(wanted: str, taken: set[str]) -> str:
    """A name for a folder that is not taken yet."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", wanted).strip(".-") or "model"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    taken.add(name)
    return name


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    match node:
        case Member(name=name):
            return Member(name=names[name])
        case StepSequence(steps=inner):
            return msgspec.structs.replace(node, steps=tuple(_renamed(one, names) for one in inner))
        case Ensemble(members=inner):
            return msgspec.structs.replace(node, members=tuple(_renamed(one, names) for one in inner))
        case Cascade(stages=inner):
            return msgspec.structs.replace(node, stages=tuple(_renamed(one, names) for one in inner))
        case Processing():
            return node


def in_sequence(parts: Sequence[Part], signatures: Mapping[str, Signature]) -> tuple[Node, ...]:
    """The parts one after the other; where only one tensor can be meant, it is renamed to what the next part takes.

    Raises:
        UsageError: one does not fit what is there; names the place.
    """
    specs: Specs = inputs_of(parts[0].node, signatures)
    steps: list[Node] = []
    for number, part in enumerate(parts):
        node = fitted(part.node, signatures, specs, f"step {number} ({part.source})")
        specs = plan_node(node, signatures, specs).outputs
        steps.append(node)
    return tuple(steps)


def side_by_side(parts: Sequence[Part], signatures: Mapping[str, Signature]) -> tuple[Node, ...]:
    """The parts for the same inputs; a single input of another name is taken for the first part's, where it fits."""
    first = inputs_of(parts[0].node, signatures)
    nodes = [parts[0].node]
    for number, part in enumerate(parts[1:], start=1):
        own = inputs_of(part.node, signatures)
        is_alike = [(spec.datatype, spec.shape) for spec in first.values()] == [
            (spec.datatype, spec.shape) for spec in own.values()
        ]
        if len(first) == 1 and is_alike and set(own) != set(first):
            nodes.append(fitted(part.node, signatures, first, f"part {number} ({part.source})"))
        else:
            nodes.append(part.node)
    return tuple(nodes)


def fitted(node: Node, signatures: Mapping[str, Signature], specs: Specs, place: str) -> Node:
    """The node where these tensors are there, behind a change of a name if it needs one.

    Raises:
        UsageError: it does not fit, or it is not clear which tensor is meant.
    """
    try:
        plan_node(node, signatures, specs, place)
    except UsageError as problem:
        wanted = (
            [] if isinstance(node, Processing) else [name for name in inputs_of(node, signatures) if name not in specs]
        )
        candidates = _renamings(node, signatures, specs, wanted[0]) if len(wanted) == 1 else []
        if len(candidates) != 1:
            raise UsageError(problem.what, why=problem.why, hint=problem.hint) from problem
        return candidates[0]
    return node


def _renamings(node: Node, signatures: Mapping[str, Signature], specs: Specs, wanted: str) -> list[Node]:
    found: list[Node] = []
    for name in specs:
        renaming = Processing(operations=(Rename(names={name: wanted}),))
        tried = StepSequence(steps=(renaming, node))
        try:
            plan_node(tried, signatures, specs)
        except UsageError:
            continue
        found.append(tried)
    return found
