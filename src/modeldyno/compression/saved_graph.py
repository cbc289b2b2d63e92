"""The graph that ONNX Runtime makes of another, as a file."""

from pathlib import Path
from typing import Literal

Level = Literal["basic", "extended"]
"""What is the same for every processor. One level further weights are laid out for the one that it is made on, and
another computes nonsense of them (docs.onnxruntime.ai, "Graph Optimizations in ONNX Runtime")."""


def save_graph(source: Path, destination: Path, level: Level) -> str:
    """Have ONNX Runtime optimise a graph and write it.

    Args:
        source: the .onnx file.
        destination: the .onnx file to write, with all weights in it; its folder exists.
        level: `basic` folds constants and drops what does nothing, `extended` joins operators too.

    Returns:
        The version of ONNX Runtime.
    """
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = levels.ORT_ENABLE_BASIC if level == "basic" else levels.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(destination)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return str(onnxruntime.__version__)
