"""OpenVINO on the CPU: its own files, ONNX and TensorFlow's SavedModel, one stream a session."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import InputError, ToolError, UsageError
from modeldyno.openvino_library import last_line, load_openvino, read_network
from modeldyno.protocols import Tensors
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import DATATYPES, Signature
from modeldyno.runtimes.input_shapes import InputShapes

_PRECISIONS = {None: "f32", "fp32": "f32", "fp16": "f16", "bf16": "bf16"}
"""What floats are computed in. Left to itself OpenVINO takes bfloat16 on processors that have it, and its answers
would not be those of the model as it came."""
_FAILED = "OpenVINO could not compute this batch"
_LENT: tuple[Literal["C_CONTIGUOUS"], Literal["WRITEABLE"]] = ("C_CONTIGUOUS", "WRITEABLE")
"""What OpenVINO takes without a copy; it does not write there, but insists. Arrays out of a request are read-only."""
_KERAS = (".keras", ".h5")
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "could not allocate")

ReadModel = Callable[[Path], Any]
"""From a path to an `openvino.Model`."""


class OpenVinoRuntime:
    """A `modeldyno.protocols.Runtime`.

    Args:
        read_keras: how Keras files are read, which OpenVINO does not do by itself.
    """

    name = "openvino"
    formats = frozenset({"openvino", "onnx", "saved-model", "keras"})

    def __init__(self, read_keras: ReadModel = read_network) -> None:
        self._read_keras = read_keras

    def open(self, path: Path, signature: Signature, settings: SessionSettings) -> "OpenVinoSession":
        """Load and compile the model at `path`; its inputs and outputs must be those of `signature`.

        Raises:
            InputError: the file cannot be loaded, is another model, or holds what OpenVINO cannot compute.
            UsageError: OpenVINO is not installed, or does not know these settings.
        """
        options = compile_options(settings)
        openvino = load_openvino()
        network = (self._read_keras if path.suffix in _KERAS else read_network)(path)
        places = _places(network, signature, path)
        try:
            # A core of its own: compiled models of one core share settings and a cache of executors.
            compiled = openvino.Core().compile_model(network, "CPU", options)
        except RuntimeError as problem:
            raise InputError(f"OpenVINO cannot compile {path}", why=last_line(problem)) from problem
        return OpenVinoSession(compiled.create_infer_request(), openvino.Tensor, signature, places)


class OpenVinoSession:
    """A `modeldyno.protocols.Session`.

    Inputs are lent for one call, outputs are copied out: OpenVINO writes the next answers where the last ones were.
    """

    def __init__(
        self, request: Any, tensor: Any, signature: Signature, places: tuple[dict[str, int], dict[str, int]]
    ) -> None:
        self._signature = signature
        self._shapes = InputShapes(signature)
        self._request = request
        self._tensor = tensor
        self._inputs = [
            (spec.name, np.dtype(DATATYPES[spec.datatype]), places[0][spec.name]) for spec in signature.inputs
        ]
        self._outputs = [(spec.name, places[1][spec.name]) for spec in signature.outputs]

    @property
    def signature(self) -> Signature:
        """See `Session`."""
        return self._signature

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        """See `Session`.

        Raises:
            ToolError: OpenVINO refuses the tensors or fails on them.
            MemoryError: it could not get the memory for them.
        """
        request = self._request
        if request is None:
            raise ToolError("this session is closed")
        self._shapes.require(inputs, _FAILED)
        # OpenVINO keeps addresses and not arrays: whatever was copied must stay until it has computed.
        lent = [self._lendable(name, dtype, inputs[name]) for name, dtype, _ in self._inputs]
        try:
            for (_, _, place), array in zip(self._inputs, lent, strict=True):
                request.set_input_tensor(place, self._tensor(array, shared_memory=True))
            request.infer()
            return {name: np.array(request.get_output_tensor(place).data) for name, place in self._outputs}
        except RuntimeError as problem:
            if any(words in str(problem) for words in _OUT_OF_MEMORY):
                raise MemoryError(last_line(problem)) from problem
            raise ToolError(_FAILED, why=last_line(problem)) from problem

    def _lendable(self, name: str, dtype: np.dtype[Any], array: NDArray[np.generic]) -> NDArray[np.generic]:
        if array.dtype != dtype:
            raise ToolError(_FAILED, why=f"{name!r} is {array.dtype}, not {dtype}")
        return np.require(array, requirements=_LENT)

    def close(self) -> None:
        """See `Session`; closing twice is as good as once."""
        self._request = None


def compile_options(settings: SessionSettings) -> dict[str, Any]:
    """One stream that computes as the settings say, and as the artifact stores it."""
    if settings.precision not in _PRECISIONS or settings.mode or settings.device != "cpu":
        raise UsageError(
            f"the runtime openvino does not know {settings.label!r}",
            why="it computes on the CPU, in fp32, fp16 or bf16, in one way",
        )
    return {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": settings.threads,
        "PERFORMANCE_HINT": "LATENCY",
        # As the artifact stores it: nothing is rounded to 8 bits on the way that is not in the file.
        "EXECUTION_MODE_HINT": "ACCURACY",
        "INFERENCE_PRECISION_HINT": _PRECISIONS[settings.precision],
        # Pinned threads of several processes would all sit on the first cores.
        "ENABLE_CPU_PINNING": False,
    }


def _places(network: Any, signature: Signature, path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """The position of each input and output of the signature."""
    texts = [spec.name for spec in (*signature.inputs, *signature.outputs) if spec.datatype == "BYTES"]
    if texts:
        raise InputError(
            f"OpenVINO does not compute {path}", why=f"{texts[0]!r} holds texts, and it is used for numbers only here"
        )
    inputs, outputs = _positions(network.inputs), _positions(network.outputs)
    fits = (
        all(spec.name in inputs for spec in signature.inputs)
        and all(spec.name in outputs for spec in signature.outputs)
        and len(network.inputs) == len(signature.inputs)
    )
    if not fits:
        raise InputError(
            f"{path} is not the model that was asked for",
            why=f"it has inputs {sorted(inputs)} and outputs {sorted(outputs)}, not "
            f"{[spec.name for spec in signature.inputs]} and {[spec.name for spec in signature.outputs]}",
        )
    return inputs, outputs


def _positions(ports: Any) -> dict[str, int]:
    names = (port.get_names() or {port.get_node().get_friendly_name()} for port in ports)
    return {name: place for place, known in enumerate(names) for name in known}
