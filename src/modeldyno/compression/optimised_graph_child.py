"""The child process of `optimised_graph`."""

import tempfile
from pathlib import Path

import onnx

from modeldyno.children import answer
from modeldyno.compression.optimised_graph import OptimisingResult, OptimisingTask
from modeldyno.compression.saved_graph import save_graph
from modeldyno.records.files import write_atomically


def optimise(task: OptimisingTask) -> OptimisingResult:
    """Optimise, read again and write."""
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder, "optimised.onnx")
        version = save_graph(Path(task.source), optimised, "extended")
        content = optimised.read_bytes()
    write_atomically(Path(task.destination), content)
    return OptimisingResult(
        operators_before=len(onnx.load_model(task.source, load_external_data=False).graph.node),
        operators=len(onnx.load_model_from_string(content).graph.node),
        made_with=version,
    )


if __name__ == "__main__":
    answer(optimise, OptimisingTask)
