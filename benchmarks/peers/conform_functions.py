"""The two models that every server of the comparison serves, as functions of NumPy arrays; all servers share this file.

`numbers` has two inputs of numbers in batches and two outputs, `texts` one input of texts. They are described once.
"""

from typing import Any

import numpy as np

Arrays = dict[str, "np.ndarray[Any, Any]"]
MODELS: dict[str, dict[str, list[tuple[str, str, list[int]]]]] = {
    "numbers": {
        "inputs": [("x", "FP32", [-1, 4]), ("factor", "INT64", [-1, 1])],
        "outputs": [("sum", "FP32", [-1, 1]), ("scaled", "FP32", [-1, 4])],
    },
    "texts": {
        "inputs": [("text", "BYTES", [-1, 1])],
        "outputs": [("upper", "BYTES", [-1, 1]), ("length", "INT64", [-1, 1])],
    },
}


def answer(model: str, inputs: Arrays) -> Arrays:
    """What the model gives for inputs by name."""
    if model == "numbers":
        scaled = (inputs["x"] * inputs["factor"]).astype(np.float32)
        return {"sum": scaled.sum(axis=1, keepdims=True), "scaled": scaled}
    texts = [one if isinstance(one, bytes) else str(one).encode() for one in inputs["text"].ravel().tolist()]
    upper = np.array([one.upper() for one in texts], object).reshape(-1, 1)
    return {"upper": upper, "length": np.array([len(one) for one in texts], np.int64).reshape(-1, 1)}
