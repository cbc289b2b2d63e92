"""Several ways of making the same call of ONNX Runtime, so that the layers of a call can be told apart."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import Signature
from modeldyno.runtimes.onnx_runtime import OnnxRuntime, session_options


def onnx_calls(
    path: Path, signature: Signature, settings: SessionSettings, batch: Mapping[str, NDArray[np.generic]]
) -> dict[str, Callable[[], object]]:
    """Each does one call with `batch`; the first three compute the same in one engine.

    Returns:
        `session`: by our session. `direct`: by the runtime's own Python call. `bound`: with the arrays already made the
        runtime's values, and none made of the answers. `empty`: bound as well, a graph that only hands its inputs on.

    Raises:
        InputError: the file cannot be loaded, or a tensor is of a datatype that cannot be bound.
    """
    unbound = {spec.datatype for spec in (*signature.inputs, *signature.outputs)} & {"BYTES", "BF16"}
    if unbound:
        raise InputError(
            f"a call with {' and '.join(sorted(unbound))} tensors cannot be cut into layers",
            why="ONNX Runtime cannot bind such arrays",
        )
    session = OnnxRuntime().open(path, signature, settings)
    direct = _engine(str(path), settings.threads)
    names = [spec.name for spec in signature.outputs]
    empty = _engine(_handing_on(batch).SerializeToString(), settings.threads)
    feeds = dict(batch)
    return {
        "session": lambda: session.run(feeds),
        "direct": lambda: direct.run(names, feeds),
        "bound": _bound(direct, batch, names),
        "empty": _bound(empty, batch, [f"{name}_on" for name in batch]),
    }


def _engine(model: str | bytes, threads: int) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(model, session_options(threads), providers=["CPUExecutionProvider"])


def _bound(engine: Any, batch: Mapping[str, NDArray[np.generic]], outputs: list[str]) -> Callable[[], object]:
    binding = engine.io_binding()
    for name, array in batch.items():
        binding.bind_cpu_input(name, np.ascontiguousarray(array))
    for name in outputs:
        binding.bind_output(name)
    return lambda: engine.run_with_iobinding(binding)


def _handing_on(batch: Mapping[str, NDArray[np.generic]]) -> Any:
    """One Shape an input, for copying it could be work; of open dimensions, lest the answer be a constant."""
    from onnx import TensorProto, helper

    nodes, inputs, outputs = [], [], []
    for name, array in batch.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        inputs.append(helper.make_tensor_value_info(name, kind, [f"{name}_{axis}" for axis in range(array.ndim)]))
        outputs.append(helper.make_tensor_value_info(f"{name}_on", TensorProto.INT64, [array.ndim]))
        nodes.append(helper.make_node("Shape", [name], [f"{name}_on"]))
    graph = helper.make_graph(nodes, "empty", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
