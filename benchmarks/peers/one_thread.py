"""The session that every peer computes with: ONNX Runtime with one thread, as ours."""

from typing import Any

import numpy as np
import onnxruntime


def open_session(path: str) -> onnxruntime.InferenceSession:
    """A session of the model with the input `x` and the output `y`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def dtype_of(session: onnxruntime.InferenceSession) -> type[Any]:
    """Of the input."""
    return np.int64 if session.get_inputs()[0].type == "tensor(int64)" else np.float32


def row_shape(session: onnxruntime.InferenceSession) -> tuple[int, ...]:
    """Of the input, with -1 for the rows."""
    return (-1, *session.get_inputs()[0].shape[1:])
