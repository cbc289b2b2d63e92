"""Programs that PyTorch compiled ahead of time (AOTInductor): `.pt2` files that hold machine code for one kind of CPU.

They open in milliseconds and need no compiler. What goes in and out is written into the ones made here, and stands in
`NAME.signature.json` beside others.
"""

from pathlib import Path
from typing import Any, Literal

from modeldyno.children import ChildLimits, run_child
from modeldyno.errors import InputError, UsageError
from modeldyno.models.torch.files import STATED, stated_beside
from modeldyno.models.torch.package import Package, read_metadata
from modeldyno.models.trust import refuse_machine_code
from modeldyno.records.artifact import Artifact, Model, ModelFormat, Precision, Task
from modeldyno.records.base import Record
from modeldyno.records.deployment import SessionSettings
from modeldyno.records.files import digest_file, from_json
from modeldyno.records.signature import Signature
from modeldyno.torch_library import Program, load_torch

TOLD = "modeldyno"
"""The key of what is written into a package."""
_CAPABILITIES = {"avx512": "avx512_f", "asimd": "neon"}
"""What the compiler calls otherwise than PyTorch's list of what a processor has."""


class Told(Record, frozen=True, kw_only=True):
    """What is known of the program in a package."""

    signature: Signature
    task: Task = "unknown"
    classes: tuple[int | str, ...] = ()
    precision: Precision = "fp32"
    parameters: int | None = None


class MachineCodeTask(Record, frozen=True, kw_only=True):
    """What the child is asked to do."""

    source: str
    entry: str
    format: ModelFormat
    destination: str
    told: Told
    session: SessionSettings
    """In which precision."""


class MachineCodeResult(Record, frozen=True, kw_only=True):
    """What the child did."""

    recipe: str


def compile_ahead(
    parent: Artifact, model: Model, destination: Path, precision: Literal["bf16"] | None, limits: ChildLimits
) -> Artifact:
    """Compile a program for this processor, in a process of its own.

    Args:
        parent: a module, a text encoder or a program of torch.export, which the user vouches for.
        model: what the parent is of.
        destination: the .pt2 file to write; its folder exists.
        precision: that it is to compute in; None: as it is.
        limits: of the process.

    Raises:
        InputError: it cannot be exported or compiled.
        ToolError: the compiler ran out of time or memory, or died.
        UsageError: there is no C++ compiler.
    """
    told = Told(
        signature=parent.signature,
        task=model.task,
        classes=model.classes,
        precision=precision or parent.precision,
        parameters=model.parameters,
    )
    task = MachineCodeTask(
        source=parent.path,
        entry=parent.entry,
        format=parent.format,
        destination=str(destination),
        told=told,
        session=SessionSettings(precision=precision),
    )
    result = run_child(
        "modeldyno.models.torch.machine_code_child",
        task,
        MachineCodeResult,
        doing=f"compiling {Path(parent.path).name}",
        limits=limits,
    )
    return Artifact(
        name=destination.stem,
        path=str(destination),
        format="torch-aoti",
        precision=precision or parent.precision,
        recipe=result.recipe,
        digest=digest_file(destination),
        size_bytes=destination.stat().st_size,
        parent_digest=parent.digest,
        signature=parent.signature,
    )


def load_machine_code(path: Path, device: str, *, trust: bool) -> tuple[Program, Told, tuple[str, ...]]:
    """The program in a package, what is told of it, and the files beside it that tell this.

    Raises:
        InputError: it cannot be read, or is for another processor or device, or nothing is told of it.
        TrustError: `trust` is false.
        UsageError: PyTorch is not installed.
    """
    if not path.is_file():
        raise InputError(f"cannot read the model {path}", why="No such file or directory", hint="check the path")
    if not trust:
        raise refuse_machine_code(path)
    metadata = read_metadata(path)
    _require_processor(load_torch(), path, metadata, device)
    if TOLD in metadata:
        told, files = from_json(metadata[TOLD].encode(), Told, str(path)), ()
        return Package(path), told, files
    stated = stated_beside(path)
    signature = Signature(inputs=stated.inputs, outputs=stated.outputs)
    told = Told(signature=signature, task=stated.task, classes=stated.classes)
    return Package(path), told, (path.with_suffix(STATED).name,)


def _require_processor(torch: Any, path: Path, metadata: dict[str, str], device: str) -> None:
    """Machine code for instructions that this processor lacks would kill the process."""
    if device != "cpu" or metadata.get("AOTI_DEVICE_KEY", "cpu") != "cpu":
        raise UsageError(
            f"{path} cannot be opened on {device}",
            why="of machine code only such for the CPU is called here",
            hint="on a GPU take the model itself, in the mode compiled or cuda-graph",
        )
    # Not there in older ones, which do not check it either.
    has: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    wanted = [word.lower() for word in metadata.get("AOTI_CPU_ISA", "").split()]
    lacking = [word for word in wanted if has.get(_CAPABILITIES.get(word, word), True) is False]
    if lacking:
        raise InputError(
            f"{path} was compiled for another processor",
            why=f"this one has no {', '.join(lacking)}",
            hint="compile the model again here: dyno compress MODEL --recipe pytorch-aoti --trust",
        )
