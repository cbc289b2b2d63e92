"""Programs compiled by torch.compile when they are opened, so that no request waits for a compiler."""

import inspect
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modeldyno.errors import InputError, UsageError, first_line
from modeldyno.records.signature import Signature
from modeldyno.torch_library import Program, load_inductor, load_torch

_MISSING_COMPILER = ("InvalidCxxCompiler", "Python.h")
"""What PyTorch and the compiler say where one or the other is not there."""
INSTALL_COMPILER = "apt install g++ python3-dev"


def compile_program(program: Program, examples: Sequence[Sequence[Any]], signature: Signature, path: Path) -> Program:
    """A program whose operations are fused into machine code for this processor or device, for any size of a batch.

    Must be called in a thread that computes with as many threads as later requests do: the code is made for so many.

    Args:
        program: what is to be compiled.
        examples: tensors that fit the signature, once of several rows and once of one, for which PyTorch compiles
            apart.
        signature: says which dimensions vary.
        path: where the program came from, for messages.

    Raises:
        InputError: it cannot be compiled.
        UsageError: there is no C++ compiler.
    """
    torch, backend = load_torch(), _Backend()
    # Compiled code is kept with the code of the function, which sessions share: after eight of them PyTorch gives up.
    options = (
        {"isolate_recompiles": True} if "isolate_recompiles" in inspect.signature(torch.compile).parameters else {}
    )
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            compiled = torch.compile(program, backend=backend, **options)
            for tensors in examples:
                compiled(
                    *(_marked(torch, one, spec.shape) for one, spec in zip(tensors, signature.inputs, strict=True))
                )
    except Exception as problem:
        raise refusal(path, problem) from problem
    if not backend.graphs:
        raise InputError(f"PyTorch does not compile {path}", why="it found no operations of tensors in it, or gave up")
    backend.is_open = False
    return compiled  # type: ignore[no-any-return]


class _Backend:
    """Compiles while the session is opened; a shape that turns up later is computed operation by operation.

    Compiling takes from seconds to minutes, and a request must not wait for it.
    """

    def __init__(self) -> None:
        self.is_open = True
        self.graphs = 0
        self._compile = load_inductor().compile_fx

    def __call__(self, graph: Any, example: Any) -> Any:
        """From a graph of operations to what computes it, as torch.compile asks for."""
        if not self.is_open:
            return graph.forward
        self.graphs += 1
        return self._compile(graph, example)


def _marked(torch: Any, tensor: Any, shape: Sequence[int | str]) -> Any:
    """A tensor whose dimensions of several elements are told to vary; one element is always compiled apart."""
    for axis, size in enumerate(shape):
        if isinstance(size, str) and tensor.shape[axis] > 1:
            torch._dynamo.mark_dynamic(tensor, axis)  # noqa: SLF001 - where its documentation says that it is
    return tensor


def refusal(path: Path, problem: BaseException) -> InputError | UsageError:
    """The error for what the compiler did not do."""
    inner: BaseException | None = problem
    while inner is not None:
        if any(words in f"{type(inner).__name__}: {inner}" for words in _MISSING_COMPILER):
            return UsageError(
                f"PyTorch cannot compile {path.name}", why="it finds no working C++ compiler", hint=INSTALL_COMPILER
            )
        problem, inner = inner, inner.__cause__ or getattr(inner, "inner_exception", None)
    return InputError(
        f"PyTorch cannot compile {path}",
        why=f"{type(problem).__name__}: {first_line(problem)[:300]}",
        hint="it can still be measured and served as it came",
    )
