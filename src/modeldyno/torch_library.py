"""PyTorch as this package imports it, only when used, and tensors on their way in and out."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.errors import ToolError, UsageError
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec

INSTALL = "pip install 'modeldyno[torch]'"
_BF16_BITS = "int16"
"""NumPy has no bfloat16: its bits cross the border as whole numbers."""

Program = Callable[..., Any]
"""What is ready to compute: takes tensors in the order of its signature's inputs, gives one or several."""
ReadProgram = Callable[[Path, Signature, SessionSettings], Program]
"""From a path to the program in it, which must have that signature, on the device and in the precision asked for."""


def load_torch() -> Any:
    """The module `torch`.

    Raises:
        UsageError: it is not installed, or does not load; names the command.
    """
    try:
        with warnings.catch_warnings():
            # It warns of what it does not find and does without, such as a driver.
            warnings.simplefilter("ignore")
            return import_module("torch")
    except ImportError as problem:
        missing = isinstance(problem, ModuleNotFoundError) and problem.name == "torch"
        raise UsageError(
            "PyTorch is not installed" if missing else "PyTorch does not load",
            why="" if missing else str(problem),
            hint=INSTALL,
        ) from problem


def load_inductor() -> Any:
    """The module of PyTorch's compiler, which then compiles in this process alone.

    Its own default, a pool of processes, would outlive the opening of a session for as long as the server runs.

    Raises:
        UsageError: see `load_torch`.
    """
    load_torch()
    with warnings.catch_warnings():
        # Importing it makes scripts of modules, and PyTorch warns of that.
        warnings.simplefilter("ignore")
        config: Any = import_module("torch._inductor.config")
        config.compile_threads = 1
        return import_module("torch._inductor.compile_fx")


def has_cuda() -> bool:
    """Whether PyTorch is installed and finds a GPU."""
    try:
        return bool(load_torch().cuda.is_available())
    except UsageError:
        return False


def to_tensor(array: NDArray[np.generic], spec: TensorSpec) -> Any:
    """A tensor with memory of its own: a module may compute in place, and a request's memory cannot be written.

    Raises:
        ToolError: the array is not of the datatype that `spec` says.
    """
    torch = load_torch()
    dtype = np.dtype(DATATYPES[spec.datatype])
    if array.dtype != dtype:
        raise ToolError("PyTorch could not compute this batch", why=f"{spec.name!r} is {array.dtype}, not {dtype}")
    if spec.datatype == "BF16":
        return torch.from_numpy(np.array(array.view(_BF16_BITS), order="C")).view(torch.bfloat16)
    return torch.from_numpy(np.array(array, order="C"))


def to_array(tensor: Any, spec: TensorSpec) -> NDArray[np.generic]:
    """A tensor as an array of the datatype that `spec` says; only floats may have been of another precision.

    Raises:
        ToolError: the tensor holds something else.
    """
    torch = load_torch()
    if not isinstance(tensor, torch.Tensor):
        raise ToolError("the PyTorch model gives what is not a tensor", why=f"{spec.name!r} is {type(tensor).__name__}")
    tensor = tensor.detach().to("cpu")
    wanted = torch.bfloat16 if spec.datatype == "BF16" else getattr(torch, DATATYPES[spec.datatype])
    if tensor.dtype != wanted:
        if not (tensor.dtype.is_floating_point and wanted.is_floating_point):
            raise ToolError(
                "the PyTorch model does not answer as its signature says",
                why=f"{spec.name!r} is {str(tensor.dtype).removeprefix('torch.')}, not {spec.datatype}",
            )
        tensor = tensor.to(wanted)
    tensor = tensor.contiguous()
    if spec.datatype == "BF16":
        bits: NDArray[np.generic] = tensor.view(torch.int16).numpy().view(DATATYPES["BF16"])
        return bits
    found: NDArray[np.generic] = tensor.numpy()
    return found


def named_arrays(answered: Any, specs: Sequence[TensorSpec]) -> dict[str, NDArray[np.generic]]:
    """What a program gave, as arrays by name: by the names it gives itself, else by their order.

    Raises:
        ToolError: an output is missing, or is not what its spec says.
    """
    if isinstance(answered, Mapping):
        missing = [spec.name for spec in specs if spec.name not in answered]
        if missing:
            raise ToolError(
                f"the PyTorch model gives no output {missing[0]!r}", why=f"it gives {', '.join(map(str, answered))}"
            )
        return {spec.name: to_array(answered[spec.name], spec) for spec in specs}
    listed = list(answered) if isinstance(answered, list | tuple) else [answered]
    if len(listed) < len(specs):
        raise ToolError(f"the PyTorch model gives {len(listed)} outputs, not {len(specs)}")
    # A model may give more than is asked for, such as hidden states.
    return {spec.name: to_array(tensor, spec) for spec, tensor in zip(specs, listed, strict=False)}
