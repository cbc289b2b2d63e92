"""PyTorch modules that a Python file makes: `file.py:name`, a class of modules or a function without parameters.

    import torch
    from safetensors.torch import load_file

    def make():
        model = Net()
        model.load_state_dict(load_file("weights.safetensors"))
        return model

    make.signature = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": ["batch", 4]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": ["batch", 3]}],
    }
    make.files = ("weights.safetensors",)

`signature`, `task`, `classes` and `files` are those of `modeldyno.models.python_file`; inputs are given in the order of
the arguments of `forward`.
"""

import inspect
import sys
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError
from modeldyno.models.python_file import load_python, stated_by
from modeldyno.models.torch.program import Told, described
from modeldyno.records.artifact import Model, Task
from modeldyno.records.signature import Signature
from modeldyno.torch_library import load_torch


def makes_module(found: Any) -> bool:
    """Whether what a Python file holds is a PyTorch module, or a function that makes one; nothing is called."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False  # what makes a module has imported it
    return isinstance(found, torch.nn.Module) or (inspect.isfunction(found) and not inspect.signature(found).parameters)


def describe_module(found: Any, path: Path, entry: str, task: Task | None) -> Model:
    """The record of a module that a Python file makes, which is tried.

    Raises:
        InputError: it cannot be made, has no sound signature, or does not answer as that says.
    """
    stated = stated_by(found, path, entry)
    module = _module(found, path, entry)
    told = Told(stated.signature, stated.files, stated.task, stated.classes, type(module).__name__)
    return described(module, module, told, path, task, entry=entry)


def load_module(path: Path, entry: str, signature: Signature, *, trust: bool) -> Any:
    """The module, in the state for inference, which still has the signature that it had when it was described.

    Raises:
        InputError: it cannot be made, or its signature is another one now.
        TrustError: `trust` is false.
    """
    found = load_python(path, entry, trust=trust)
    if stated_by(found, path, entry).signature != signature:
        raise InputError(f"{path} is not the model that was asked for", why="its signature is another one now")
    return _module(found, path, entry)


def _module(found: Any, path: Path, entry: str) -> Any:
    torch = load_torch()
    try:
        module = found if isinstance(found, torch.nn.Module) else found()
    except Exception as problem:
        raise InputError(f"{path}:{entry} cannot be made", why=f"{type(problem).__name__}: {problem}") from problem
    if not isinstance(module, torch.nn.Module):
        raise InputError(
            f"{path}:{entry} makes no PyTorch module",
            why=f"called without arguments it gives {type(module).__name__}",
            hint="a function that answers takes one argument, the dictionary of its inputs",
        )
    module.eval()
    return module
