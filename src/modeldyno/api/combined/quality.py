"""How right what was combined answers, part by part and as a whole."""

from collections.abc import Sequence

import msgspec

from modeldyno.api.combined.cascade_choice import Judge, choose_threshold, cost_ns_per_row
from modeldyno.api.combined.part_answers import Answering, Confidence, PartAnswers
from modeldyno.api.combined.parts import Part
from modeldyno.processing.confidence import is_unsure
from modeldyno.protocols import Progress
from modeldyno.quality.proportions import wilson
from modeldyno.quality.thresholds import joined_answers
from modeldyno.records.combination import Combination, PartQuality, ThresholdTrial
from modeldyno.records.pipeline import Cascade, Ensemble


def measured(combination: Combination, parts: Sequence[Part], answering: Answering, judge: Judge) -> Combination:
    """The combination with the quality of the whole, and of its models where they could answer alone.

    Raises:
        DataError: answers and labels do not fit together.
    """
    graph = combination.pipeline.graph
    whole = answering.part(graph, "the whole")
    alone: list[PartAnswers] = []
    if isinstance(graph, Ensemble):
        alone = [answering.part(node, part.name) for node, part in zip(graph.members, parts, strict=True)]
    judged = judge.judge(whole.answers, alone[0].answers if alone else None)
    return msgspec.structs.replace(
        combination,
        parts=_qualities(parts, alone, judge),
        quality=judged.quality,
        reference=parts[0].name if alone else None,
        change=judged.change,
        verdicts=judged.verdicts,
    )


def measured_cascade(
    combination: Combination,
    graph: Cascade,
    parts: Sequence[Part],
    answering: Answering,
    judge: Judge,
    *,
    chooses: bool,
    progress: Progress,
) -> Combination:
    """The same of a cascade, whose threshold is chosen first if `chooses`."""
    confidence = Confidence(graph.confidence, graph.measure)
    last = len(graph.stages) - 1
    alone = [
        answering.part(node, part.name, confidence if number < last else None)
        for number, (node, part) in enumerate(zip(graph.stages, parts, strict=True))
    ]
    trials: list[ThresholdTrial] = []
    if chooses:
        threshold, trials = choose_threshold(alone[0], alone[1], judge, progress)
        graph = msgspec.structs.replace(graph, thresholds=(threshold,))
    unsure = [
        is_unsure(one.confidence, threshold)
        for one, threshold in zip(alone[:-1], graph.thresholds, strict=True)
        if one.confidence is not None
    ]
    judged = judge.judge(joined_answers(unsure, [one.answers for one in alone]), alone[-1].answers)
    is_of_two = last == 1
    return msgspec.structs.replace(
        combination,
        pipeline=msgspec.structs.replace(combination.pipeline, graph=graph),
        parts=_qualities(parts, alone, judge),
        quality=judged.quality,
        reference=parts[-1].name,
        change=judged.change,
        passed_on=wilson(int(unsure[0].sum()), len(unsure[0])) if is_of_two else None,
        ns_per_row=cost_ns_per_row(unsure[0], alone[0], alone[1]) if is_of_two else None,
        trials=tuple(trials),
        verdicts=judged.verdicts,
    )


def _qualities(parts: Sequence[Part], alone: Sequence[PartAnswers], judge: Judge) -> tuple[PartQuality, ...]:
    without_objectives = judge._replace(objectives=())
    return tuple(
        PartQuality(
            name=part.name,
            quality=without_objectives.judge(one.answers, None).quality,
            ns_per_row=one.ns_per_row,
        )
        for part, one in zip(parts, alone, strict=False)
    )
