"""What a model answers to every row, how sure it is, and how long it takes."""

from collections.abc import Mapping
from statistics import median
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.api.judging.answers import CHUNK_ROWS
from modeldyno.clock import Clock
from modeldyno.processing.confidence import confidences
from modeldyno.processing.graph import PlannedPipeline, plan_node
from modeldyno.processing.session import PipelineSession
from modeldyno.protocols import Dataset, Progress, Session
from modeldyno.quality.answers import answers_from
from modeldyno.records.artifact import Task
from modeldyno.records.pipeline import Node
from modeldyno.records.signature import Signature, TensorSpec


class Confidence(NamedTuple):
    """How a cascade reads how sure a model is."""

    output: str
    measure: Literal["highest", "margin"]


class PartAnswers(NamedTuple):
    """One part of a pipeline on every row, as if it were alone."""

    answers: NDArray[np.generic]
    """A label or a value for each row."""
    confidence: NDArray[np.float64] | None
    """Of each row; None for a part that is not asked for it."""
    ns_per_row: float
    """The median over batches."""


class Answering(NamedTuple):
    """What is needed to have parts answered."""

    inputs: Mapping[str, TensorSpec]
    """Of the whole."""
    signatures: Mapping[str, Signature]
    sessions: Mapping[str, Session]
    dataset: Dataset
    task: Task
    classes: tuple[int | str, ...]
    clock: Clock
    progress: Progress

    def part(self, node: Node, name: str, confidence: Confidence | None = None) -> PartAnswers:
        """Have a node answer every row.

        Raises:
            DataError: its outputs are no answers, or an operation refuses a value.
        """
        plan = plan_node(node, self.signatures, self.inputs)
        signature = Signature(inputs=tuple(self.inputs.values()), outputs=tuple(plan.outputs.values()))
        session = PipelineSession(PlannedPipeline(signature, plan.begin), self.sessions)
        rows, chunk = self.dataset.rows, CHUNK_ROWS if signature.has_batch_dimension else 1
        session.run(self.dataset.inputs(0, min(rows, chunk)))  # the first is slow for reasons of its own
        answers, sure, ns_per_row = [], [], []
        self.progress.start(f"answering the rows with {name}", total=rows)
        for start in range(0, rows, chunk):
            stop = min(start + chunk, rows)
            inputs = self.dataset.inputs(start, stop)
            began_ns = self.clock.now_ns()
            outputs = session.run(inputs)
            ns_per_row.append((self.clock.now_ns() - began_ns) / (stop - start))
            answers.append(answers_from(outputs, signature, self.task, self.classes))
            if confidence is not None:
                sure.append(confidences(outputs[confidence.output], confidence.measure))
            self.progress.advance(stop)
        self.progress.end()
        return PartAnswers(np.concatenate(answers), np.concatenate(sure) if sure else None, float(median(ns_per_row)))
