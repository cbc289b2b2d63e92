"""A model with nodes added before or behind it, as one ONNX file."""

from pathlib import Path
from typing import Any

import numpy as np

from modeldyno.errors import InputError, UsageError
from modeldyno.records.files import write_atomically
from modeldyno.records.signature import DATATYPES, TensorSpec

_OLDEST_OPSET = 13
"""Before it, Softmax and others mean something else."""
_USUAL_OPSET = 17
"""Of the default domain where a graph of ai.onnx.ml operators alone did not import it."""
_MOST_BYTES = 2**31 - 1
"""A protobuf message cannot be larger."""


def require_opset(model: Any, source: Path) -> int:
    """The opset of the default domain, imported where it was not.

    Raises:
        InputError: it is too old for what is added.
    """
    import onnx

    opset = next((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), None)
    if opset is None:
        model.opset_import.append(onnx.helper.make_opsetid("", _USUAL_OPSET))
        return _USUAL_OPSET
    if opset < _OLDEST_OPSET:
        raise InputError(
            f"{source} is of opset {opset}",
            why=f"operations are added in the meaning of opset {_OLDEST_OPSET} and newer",
            hint="export the model again with a newer opset",
        )
    return opset


def value_info(spec: TensorSpec) -> Any:
    """An input or output as a graph declares it."""
    import onnx

    return onnx.helper.make_tensor_value_info(spec.name, element_type(spec), list(spec.shape))


def element_type(spec: TensorSpec) -> int:
    """The `onnx.TensorProto.DataType` of a tensor."""
    import onnx

    if spec.datatype == "BYTES":
        return int(onnx.TensorProto.STRING)
    if spec.datatype == "BF16":
        return int(onnx.TensorProto.BFLOAT16)
    return int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(DATATYPES[spec.datatype])))


def whole_model(graph: Any, inner: Any) -> Any:
    """A model of the graph that was built around that of `inner`."""
    import onnx

    graph.sparse_initializer.extend(inner.graph.sparse_initializer)
    graph.quantization_annotation.extend(inner.graph.quantization_annotation)
    whole = onnx.helper.make_model(graph, opset_imports=inner.opset_import, producer_name=inner.producer_name)
    whole.ir_version = inner.ir_version
    whole.functions.extend(inner.functions)
    whole.metadata_props.extend(inner.metadata_props)
    return whole


def write_model(model: Any, source: Path, destination: Path) -> None:
    """Check and write.

    Args:
        model: to write.
        source: what it was made of, for messages.
        destination: the .onnx file.

    Raises:
        InputError: it is too large for one file.
        UsageError: what was added does not fit the model.
        OutputError: the file cannot be written.
    """
    import onnx

    if model.ByteSize() > _MOST_BYTES:
        raise InputError(f"{source} is larger than 2 GB", why="it could not be written as one file")
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as problem:  # the checker raises ValidationError and InferenceError
        told = " ".join(str(problem).split())
        raise UsageError(f"the operations and {source} do not make a sound graph", why=told[:300]) from problem
    write_atomically(destination, model.SerializeToString())
