"""The graph of what is combined: from parts and a rule to a node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from modeldyno.api.combined.parts import Part, in_sequence, side_by_side
from modeldyno.errors import UsageError
from modeldyno.processing.graph import inputs_of, plan_node
from modeldyno.processing.steps import FLOATS
from modeldyno.records.artifact import Task
from modeldyno.records.pipeline import Cascade, Ensemble, Node
from modeldyno.records.pipeline import Sequence as StepSequence
from modeldyno.records.signature import Signature

Kind = Literal["sequence", "ensemble", "cascade"]


@dataclass(frozen=True, kw_only=True)
class JoinRule:
    """How models become one; what does not belong to the kind stays as it is."""

    average: str = ""
    """Ensemble: float output whose mean is the answer."""
    vote: str = ""
    """Ensemble: output with labels, of which the most frequent is the answer."""
    weights: tuple[float, ...] = ()
    """Ensemble: one for each model; empty: all the same."""
    confidence: str = ""
    """Cascade: float output [rows, classes] that tells how sure a model is; empty: the only one there is."""
    measure: Literal["highest", "margin"] = "highest"
    """Cascade: the largest of a row, or its distance to the second."""
    thresholds: tuple[float, ...] = ()
    """Cascade: one for each model but the last; empty: chosen by measurement, from data and objectives."""


def check_rule(kind: Kind, rule: JoinRule) -> None:
    """Refuse what means nothing for this kind.

    Raises:
        UsageError: names the option.
    """
    of_kind = {"ensemble": ("average", "vote", "weights"), "cascade": ("confidence", "measure", "thresholds")}
    for owner, options in of_kind.items():
        for option in options:
            if owner != kind and getattr(rule, option) != getattr(JoinRule(), option):
                raise UsageError(
                    f"{option.removesuffix('s') if option == 'thresholds' else option} is a matter of {owner}s",
                    why=f"{'an' if kind == 'ensemble' else 'a'} {kind} is combined",
                    hint=f"leave it out, or: dyno combine {owner}",
                )


def build_graph(
    kind: Kind, parts: Sequence[Part], rule: JoinRule, signatures: Mapping[str, Signature], *, may_choose: bool
) -> Node:
    """The parts as one node.

    Args:
        kind: how they are combined.
        parts: in order.
        rule: how they become one.
        signatures: of all members.
        may_choose: whether the threshold of a cascade is chosen later; until then it is 0.

    Raises:
        UsageError: something is missing in the rule, or the parts do not fit together.
    """
    if kind == "sequence":
        return StepSequence(steps=in_sequence(parts, signatures))
    nodes = side_by_side(parts, signatures)
    if kind == "ensemble":
        if bool(rule.average) == bool(rule.vote):
            raise UsageError("it is not clear how the answers become one", hint="--average OUTPUT or --vote OUTPUT")
        method: Literal["average", "vote"] = "average" if rule.average else "vote"
        return Ensemble(members=nodes, method=method, output=rule.average or rule.vote, weights=rule.weights)
    if not rule.thresholds:
        _require_choice(len(nodes), may_choose=may_choose)
    return Cascade(
        stages=nodes,
        thresholds=rule.thresholds or (0.0,),
        confidence=rule.confidence or _only_scores(nodes[0], signatures),
        measure=rule.measure,
    )


def _require_choice(stages: int, *, may_choose: bool) -> None:
    if not may_choose:
        raise UsageError(
            "a cascade needs a threshold",
            why="rows of which a model is less sure go on to the next",
            hint='--threshold 0.9; or have it chosen: --slo "accuracy_drop<=1%" --data DATA',
        )
    if stages != 2:
        raise UsageError(
            "only the threshold of two models can be chosen by measurement",
            why=f"there are {stages}",
            hint=f"name {stages - 1}, such as --threshold 0.9,0.8; or combine two, and the result with the next",
        )


def _only_scores(node: Node, signatures: Mapping[str, Signature]) -> str:
    plan = plan_node(node, signatures, inputs_of(node, signatures))
    found = [one.name for one in plan.outputs.values() if one.datatype in FLOATS and len(one.shape) == 2]
    if len(found) != 1:
        raise UsageError(
            "it is not clear which output tells how sure the first model is",
            why=f"its outputs are {', '.join(plan.outputs)}",
            hint="--confidence OUTPUT",
        )
    return found[0]


def task_of(kind: Kind, parts: Sequence[Part]) -> tuple[Task, tuple[int | str, ...]]:
    """What the whole does, and its classes.

    Raises:
        UsageError: models that answer for one another know different classes.
    """
    models = [part for part in parts if part.task is not None]
    if kind == "sequence":
        return models[-1].task or "unknown", models[-1].classes
    with_classes = [part for part in models if part.classes]
    for part in with_classes[1:]:
        if part.classes != with_classes[0].classes:
            raise UsageError(
                f"{with_classes[0].source} and {part.source} know different classes, or in another order",
                why=f"{list(with_classes[0].classes)} and {list(part.classes)}",
                hint="train them on the same labels",
            )
    tasks = [part.task for part in models if part.task is not None and part.task != "unknown"]
    return tasks[0] if tasks else "unknown", with_classes[0].classes if with_classes else ()
