"""Test-time augmentation as an ONNX graph: each row is answered together with changed copies of itself."""

from pathlib import Path

from modeldyno.children import ChildLimits, run_child
from modeldyno.errors import UsageError
from modeldyno.records.base import Record
from modeldyno.records.robustness import Perturbation
from modeldyno.records.signature import Signature

OF_A_ROW = {"mirror": 1, "shift": 4, "brightness": 2, "noise": 4}
"""How many copies are made of a row, by the kind of the change: the sides there are, or a change and its opposite."""


class Scale(Record, frozen=True, kw_only=True):
    """How the values of an input are spread."""

    std: tuple[float, ...]
    """Of each column, or one of all values."""
    low: float
    high: float


class AveragingTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str
    signature: Signature
    scores: str | None
    """The output of one score for each class, whose highest makes the label; None: labels are voted on."""
    classes: tuple[int | str, ...]
    """In the order of the scores; empty: a label is the number of its score."""
    change: Perturbation
    """One of `OF_A_ROW`; its first severity is taken."""
    scales: dict[str, Scale]
    """Of the inputs of numbers."""
    seed: int
    """Of noise."""


class AveragingResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    joined: str
    """How answers become one, in words."""


def average_copies(task: AveragingTask, *, limits: ChildLimits) -> AveragingResult:
    """Write a graph that computes each row and its copies as one batch and gives the mean of the answers.

    Inputs that the change is none of are repeated. Outputs of floats are averaged. A label is the class of the highest
    mean score, or the most frequent one, the row's own among equals. All is in standard operators, and the copies are
    the same in every call: noise and brightness are constants of the graph.

    Args:
        task: what to make of what.
        limits: for the child.

    Raises:
        InputError: an output can neither be averaged nor voted on, or the opset is too old.
        OutputError: the file cannot be written.
        ToolError: it failed, crashed, or ran out of time or memory.
        UsageError: there are no such copies.
    """
    if task.change.kind not in OF_A_ROW:
        raise UsageError(f"no fixed copies are made by {task.change.kind}", hint=f"one of: {', '.join(OF_A_ROW)}")
    return run_child(
        "modeldyno.models.onnx.averaging_child",
        task,
        AveragingResult,
        doing=f"averaging {Path(task.source).name} over copies of each row",
        limits=limits,
    )


def recipe_of(change: Perturbation, joined: str) -> str:
    """What was done, in words."""
    copies = OF_A_ROW[change.kind]
    told = f"{change.kind} {change.severities[0]:g}, {copies} {'copy' if copies == 1 else 'copies'}"
    return f"each row answered {copies + 1} times ({told}), {joined}"
