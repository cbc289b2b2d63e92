"""The graph of a pipeline, checked against the signatures of its members and made ready to be gone through."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from modeldyno.errors import UsageError
from modeldyno.processing.combination import average, vote
from modeldyno.processing.confidence import confidences, is_unsure
from modeldyno.processing.flow import Ask, Compute, Flow, Fork
from modeldyno.processing.members import BATCH, bind, own_inputs
from modeldyno.processing.operations import plan_operations
from modeldyno.processing.steps import FLOATS, WHOLES, Array, Specs
from modeldyno.protocols import Tensors
from modeldyno.records.pipeline import STAGE_OUTPUT, Cascade, Ensemble, Member, Node, Sequence
from modeldyno.records.processing import Processing
from modeldyno.records.signature import Signature, TensorSpec

_LABELS = WHOLES | {"BOOL", "BYTES"}
Members = Mapping[str, Signature]


class Plan(NamedTuple):
    """A node for tensors of known datatype and shape."""

    outputs: dict[str, TensorSpec]
    begin: Callable[[Tensors], Flow]
    """The flow of one request. It raises `DataError` for values that an operation refuses."""


class PlannedPipeline(NamedTuple):
    """A whole graph."""

    signature: Signature
    begin: Callable[[Tensors], Flow]


def plan_pipeline(node: Node, members: Members) -> PlannedPipeline:
    """Check a graph, and find out what goes in and what comes out.

    Args:
        node: the graph.
        members: the signature of each bundle that it names.

    Raises:
        UsageError: parts do not fit together; names the place.
    """
    inputs = inputs_of(node, members)
    plan = plan_node(node, members, inputs)
    signature = Signature(inputs=tuple(inputs.values()), outputs=tuple(plan.outputs.values()))
    return PlannedPipeline(signature, plan.begin)


def inputs_of(node: Node, members: Members, place: str = "pipeline") -> dict[str, TensorSpec]:
    """What goes into a graph: what its first models take, or what its first processing declares.

    Raises:
        UsageError: that is not known.
    """
    match node:
        case Member(name=name):
            return own_inputs(members[name])
        case Processing(inputs=inputs):
            if not inputs:
                raise UsageError(
                    f"{place}: it is not known what goes into the first step",
                    why="it is processing, which works on any tensors",
                    hint='declare "inputs": [{"name": NAME, "datatype": TYPE, "shape": ["batch", SIZE]}] in it',
                )
            return {spec.name: spec for spec in inputs}
        case Sequence(steps=steps):
            return inputs_of(steps[0], members, f"{place}, step 0") if steps else {}
        case Ensemble(members=parts) | Cascade(stages=parts):
            found: dict[str, TensorSpec] = {}
            for number, part in enumerate(parts):
                for name, spec in inputs_of(part, members, f"{place}, part {number}").items():
                    found.setdefault(name, spec)
            return found


def plan_node(node: Node, members: Members, specs: Specs, place: str = "pipeline") -> Plan:
    """Check a node of a graph where these tensors are there.

    Raises:
        UsageError: it does not fit them, or its parts do not fit together; names the place.
    """
    match node:
        case Member(name=name):
            return _plan_member(name, members[name], specs, place)
        case Processing():
            return _plan_processing(node, specs, place)
        case Sequence():
            return _plan_sequence(node, members, specs, place)
        case Ensemble():
            return _plan_ensemble(node, members, specs, place)
        case Cascade():
            return _plan_cascade(node, members, specs, place)


def _plan_member(name: str, signature: Signature, specs: Specs, place: str) -> Plan:
    try:
        outputs = bind(name, signature, specs)
    except UsageError as problem:
        raise UsageError(f"{place}: {problem.what}", why=problem.why, hint=problem.hint) from problem
    wanted = [spec.name for spec in signature.inputs]

    def begin(tensors: Tensors) -> Flow:
        answer: dict[str, Array] = yield Ask(name, {one: tensors[one] for one in wanted})
        return answer

    return Plan(outputs, begin)


def _plan_processing(node: Processing, specs: Specs, place: str) -> Plan:
    step = plan_operations(node.operations, specs, place=place)

    def begin(tensors: Tensors) -> Flow:
        made: dict[str, Array] = yield Compute(step.apply, tensors)
        return made

    return Plan(step.specs, begin)


def _plan_sequence(node: Sequence, members: Members, specs: Specs, place: str) -> Plan:
    if not node.steps:
        raise UsageError(f"{place}: a sequence needs a step")
    plans: list[Plan] = []
    for number, step in enumerate(node.steps):
        plans.append(plan_node(step, members, specs, f"{place}, step {number}"))
        specs = plans[-1].outputs

    def begin(tensors: Tensors) -> Flow:
        made = dict(tensors)
        for plan in plans:
            made = yield from plan.begin(made)
        return made

    return Plan(dict(specs), begin)


def _plan_parts(parts: tuple[Node, ...], members: Members, specs: Specs, place: str) -> list[Plan]:
    if len(parts) < 2:
        raise UsageError(f"{place}: at least two models are needed, not {len(parts)}")
    return [plan_node(part, members, specs, f"{place}, part {number}") for number, part in enumerate(parts)]


def _plan_ensemble(node: Ensemble, members: Members, specs: Specs, place: str) -> Plan:
    plans = _plan_parts(node.members, members, specs, place)
    output = _common_output(node, plans, place)
    weights = node.weights or (1.0,) * len(plans)
    if len(weights) != len(plans) or not all(0 < weight < np.inf for weight in weights):
        raise UsageError(
            f"{place}: weights {list(node.weights)} are not {len(plans)} numbers above 0", hint="one for each member"
        )
    unite = average if node.method == "average" else vote

    def begin(tensors: Tensors) -> Flow:
        answers: list[dict[str, Array]] = yield Fork(tuple(plan.begin(tensors) for plan in plans))
        return {node.output: unite([answer[node.output] for answer in answers], weights)}

    return Plan({node.output: output}, begin)


def _common_output(node: Ensemble, plans: list[Plan], place: str) -> TensorSpec:
    fitting = FLOATS if node.method == "average" else _LABELS
    first = plans[0].outputs.get(node.output)
    for number, plan in enumerate(plans):
        spec = plan.outputs.get(node.output)
        if spec is None or spec.datatype not in fitting or spec != first:
            given = ", ".join(f"{one.name!r} {one.datatype} {list(one.shape)}" for one in plan.outputs.values())
            wanted = "a float output" if node.method == "average" else "an output of labels"
            raise UsageError(
                f"{place}: there is no {node.method} of {node.output!r}",
                why=f"{wanted} of the same shape is needed in all, and part {number} gives {given}",
                hint="name another; or first give its output that name: dyno combine sequence BUNDLE RENAME.json",
            )
    return plans[0].outputs[node.output]


def _plan_cascade(node: Cascade, members: Members, specs: Specs, place: str) -> Plan:
    plans = _plan_parts(node.stages, members, specs, place)
    if len(node.thresholds) != len(plans) - 1 or not np.isfinite(node.thresholds).all():
        raise UsageError(
            f"{place}: thresholds {list(node.thresholds)} are not {len(plans) - 1} finite numbers",
            hint="one for each stage but the last",
        )
    for number, plan in enumerate(plans[:-1]):
        _require_confidence(node, plan.outputs, f"{place}, part {number}")
    outputs = _common_outputs(plans, specs, place)
    made = dict(outputs)
    if node.tells_stage:
        if STAGE_OUTPUT in outputs:
            raise UsageError(f"{place}: a stage has an output {STAGE_OUTPUT!r} already", hint="rename it")
        made[STAGE_OUTPUT] = TensorSpec(name=STAGE_OUTPUT, datatype="INT32", shape=(BATCH,))
    return Plan(made, lambda tensors: _pass_on(node, plans, tuple(outputs), tensors))


def _require_confidence(node: Cascade, outputs: Specs, place: str) -> None:
    spec = outputs.get(node.confidence)
    least = 2 if node.measure == "margin" else 1
    if (
        spec is None
        or spec.datatype not in FLOATS
        or len(spec.shape) != 2
        or not isinstance(spec.shape[1], int)
        or spec.shape[1] < least
    ):
        given = ", ".join(f"{one.name!r} {one.datatype} {list(one.shape)}" for one in outputs.values())
        raise UsageError(
            f"{place}: output {node.confidence!r} does not tell how sure it is",
            why=f"a float output [rows, classes] is needed, and it gives {given}",
        )


def _common_outputs(plans: list[Plan], inputs: Specs, place: str) -> dict[str, TensorSpec]:
    """The outputs that all stages have; each must be the same in all, and have a row for each row that goes in."""
    names = [name for name in plans[0].outputs if all(name in plan.outputs for plan in plans)]
    if not names:
        raise UsageError(f"{place}: the stages have no output in common", hint="rename the outputs of one of them")
    for name in names:
        found = {plan.outputs[name] for plan in plans}
        if len(found) > 1:
            shown = ", ".join(sorted(f"{spec.datatype} {list(spec.shape)}" for spec in found))
            raise UsageError(f"{place}: output {name!r} is not the same in all stages", why=shown)
    for spec in (*inputs.values(), *(plans[0].outputs[name] for name in names)):
        if not spec.shape or spec.shape[0] != BATCH:
            raise UsageError(
                f"{place}: {spec.name!r} has no rows that could be passed on",
                why=f"its shape is {list(spec.shape)}, and the first dimension must be {BATCH!r}",
            )
    return {name: plans[0].outputs[name] for name in names}


def _pass_on(node: Cascade, plans: list[Plan], names: tuple[str, ...], tensors: Tensors) -> Flow:
    rows = len(next(iter(tensors.values())))
    made: dict[str, Array] = {}
    is_own = False
    stages = np.zeros(rows, np.int32)
    left = np.arange(rows)
    """Rows whose answer is still to come."""
    for number, plan in enumerate(plans):
        if len(left) == rows:
            answer = yield from plan.begin(tensors)
            made, is_own = {name: answer[name] for name in names}, False
        else:
            answer = yield from plan.begin({name: array[left] for name, array in tensors.items()})
            if not is_own:  # what a model gave may be a part of what it gave others
                made, is_own = {name: array.copy() for name, array in made.items()}, True
            for name in names:
                made[name][left] = answer[name]
        stages[left] = number
        if number == len(plans) - 1:
            break
        left = left[is_unsure(confidences(answer[node.confidence], node.measure), node.thresholds[number])]
        if not len(left):
            break
    return {**made, STAGE_OUTPUT: stages} if node.tells_stage else made
