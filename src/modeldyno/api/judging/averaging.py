"""Test-time augmentation: one answer from a row and changed copies of it, as a candidate with its gain and its cost."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.api.judging.answers import CHUNK_ROWS
from modeldyno.api.judging.robustness import Answered
from modeldyno.augmentation.perturbing import require_changeable
from modeldyno.clock import Clock
from modeldyno.data.perturbed import PerturbedDataset, spreads_of
from modeldyno.errors import UsageError
from modeldyno.processing.combination import average, vote
from modeldyno.protocols import Dataset, Progress, Tensors
from modeldyno.quality.answers import answers_from
from modeldyno.quality.assess import assess_rows
from modeldyno.quality.changes import compare_rows
from modeldyno.quality.rows import Answers
from modeldyno.records.base import Estimate
from modeldyno.records.robustness import Perturbation, TestTimeAugmentation
from modeldyno.records.signature import Signature
from modeldyno.seeds import child_seed

MOST_COPIES = 64


class _Averaged(NamedTuple):
    answers: Answers
    cost: Estimate


def measure_averaging(
    answered: Answered, perturbation: Perturbation, *, copies: int, seed: int, clock: Clock, progress: Progress
) -> TestTimeAugmentation:
    """What is gained by averaging over changed copies of each row, and how much longer it takes.

    Args:
        answered: the model, with its answers to the unchanged rows.
        perturbation: how copies are changed; its first severity is taken.
        copies: beside the row itself, 1 to 64.
        seed: of changes and resampling.
        clock: for the cost.
        progress: where to report how far it is.

    Raises:
        UsageError: a number of copies, or a change, that cannot be averaged over.
        DataError: the change cannot be done to these rows.
    """
    if not 1 <= copies <= MOST_COPIES:
        raise UsageError(f"{copies} copies are not 1 to {MOST_COPIES}")
    if perturbation.kind == "imbalance":
        raise UsageError("imbalance is no change of a row", hint="average over noise, mirror, rotation, crop, ...")
    require_changeable(perturbation, answered.session.signature.inputs)
    made = _averaged(answered, _copies(answered, perturbation, copies, seed), clock, progress)
    alone = Answers(answered.answers.values)  # the copies are judged by their answers, without scores
    quality = assess_rows(made.answers, answered.rows, answered.task, seed=seed)
    change = compare_rows(alone, made.answers, answered.rows, answered.task, seed=seed)
    return TestTimeAugmentation(
        perturbation=msgspec.structs.replace(perturbation, severities=perturbation.severities[:1]),
        copies=copies,
        metrics=quality.metrics,
        gains={name: drop.negated for name, drop in change.drops.items()},
        changed=change.flip_rate,
        cost=made.cost,
    )


def _copies(answered: Answered, perturbation: Perturbation, copies: int, seed: int) -> list[PerturbedDataset]:
    signature = answered.session.signature
    spreads = spreads_of(answered.dataset, signature)
    return [
        PerturbedDataset(
            answered.dataset,
            signature,
            perturbation.kind,
            perturbation.severities[0],
            spreads=spreads,
            seed=child_seed(seed, f"copy/{copy}"),
        )
        for copy in range(copies)
    ]


def _averaged(answered: Answered, copies: Sequence[Dataset], clock: Clock, progress: Progress) -> _Averaged:
    """Block by block, alone and with the copies in turns: the machine of both is the same then."""
    session, dataset = answered.session, answered.dataset
    signature = _joinable(session.signature)
    chunk = CHUNK_ROWS if session.signature.has_batch_dimension else 1
    parts, ratios = [], []
    progress.start("answering changed copies of the rows", total=dataset.rows)
    for start in range(0, dataset.rows, chunk):
        stop = min(start + chunk, dataset.rows)
        begun = clock.now_ns()
        outputs = [session.run(dataset.inputs(start, stop))]
        alone_ns = clock.now_ns() - begun
        outputs += [session.run(copy.inputs(start, stop)) for copy in copies]
        joined = _joined(outputs, signature)
        ratios.append((clock.now_ns() - begun) / max(1, alone_ns))
        parts.append(answers_from(joined, signature, answered.task, answered.rows.classes))
        progress.advance(stop)
    progress.end()
    cost = Estimate(value=float(np.median(ratios)), low=min(ratios), high=max(ratios))
    return _Averaged(Answers(np.concatenate(parts)), cost)


def _joinable(signature: Signature) -> Signature:
    """The outputs that are joined: the float ones where there are any, for a mean says more than a vote."""
    floats = tuple(spec for spec in signature.outputs if spec.datatype in ("FP16", "FP32", "FP64"))
    return Signature(inputs=signature.inputs, outputs=floats or signature.outputs)


def _joined(outputs: Sequence[Tensors], signature: Signature) -> dict[str, NDArray[np.generic]]:
    weights = [1.0] * len(outputs)
    return {
        spec.name: (average if spec.datatype in ("FP16", "FP32", "FP64") else vote)(
            [one[spec.name] for one in outputs], weights
        )
        for spec in signature.outputs
    }
