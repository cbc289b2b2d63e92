"""The graph that ONNX Runtime makes of a model each time it is opened, made once and kept."""

from pathlib import Path

from modeldyno.children import ChildLimits, run_child
from modeldyno.compression.onnx_products import made_onnx, refuse_other_formats
from modeldyno.records.artifact import Artifact
from modeldyno.records.base import Record


class OptimisingTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    destination: str


class OptimisingResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    operators_before: int
    operators: int
    made_with: str
    """Version of ONNX Runtime."""


def optimise_graph(parent: Artifact, destination: Path, *, limits: ChildLimits) -> Artifact:
    """Keep what ONNX Runtime's optimisation makes of a graph, as far as it is the same on every processor.

    A call is as fast as before, for the same is done at every opening anyway; what is gained is part of the opening.

    Args:
        parent: an ONNX artifact.
        destination: the .onnx file to write; its folder exists.
        limits: for the child.

    Raises:
        OutputError: the file cannot be written.
        ToolError: it failed, crashed, or ran out of time or memory.
        UsageError: the parent is not ONNX.
    """
    refuse_other_formats(parent)
    result = run_child(
        "modeldyno.compression.optimised_graph_child",
        OptimisingTask(source=parent.path, destination=str(destination)),
        OptimisingResult,
        doing=f"optimising the graph of {Path(parent.path).name}",
        limits=limits,
    )
    recipe = (
        f"{parent.recipe}; optimised by ONNX Runtime {result.made_with}: "
        f"{result.operators} instead of {result.operators_before} operators"
    )
    return made_onnx(parent, destination, name="onnx-optimised", recipe=recipe, precision=parent.precision)
