"""A model as text: what it is, what goes in and what comes out."""

from modeldyno.records.artifact import Model
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.reports.terminal.layout import entry, joined, table
from modeldyno.reports.terminal.place import model_line, typed

_CLASSES_SHOWN = 20


def model_text(model: Model) -> str:
    """Format, task, classes, size, digest and signature."""
    parameters = f"{model.parameters:,}" if model.parameters is not None else "cannot be told from the file"
    lines = [
        *model_line(model),
        *entry("task", f"{model.task}{_classes(model)}"),
        *entry("parameters", parameters),
        *entry("made with", model.made_with),
        *entry("digest", model.digest),
        *entry("batching", _batching(model)),
        "",
        *signature_table(model.signature),
        "",
        f"next       dyno tune {typed(model)} --data DATA",
    ]
    return joined(lines)


def _classes(model: Model) -> str:
    if not model.classes:
        return ""
    shown = ", ".join(str(label) for label in model.classes[:_CLASSES_SHOWN])
    more = f", and {len(model.classes) - _CLASSES_SHOWN:,} more" if len(model.classes) > _CLASSES_SHOWN else ""
    return f", {len(model.classes):,} classes: {shown}{more}"


def _batching(model: Model) -> str:
    if model.signature.has_batch_dimension:
        return "yes: the first dimension of every input and output varies"
    return "no: the first dimension is fixed, so requests cannot be computed together"


def signature_table(signature: Signature) -> list[str]:
    """Name, datatype and shape of each input and output."""
    rows = [("", "name", "datatype", "shape")]
    for direction, specs in (("input", signature.inputs), ("output", signature.outputs)):
        rows += [(direction, spec.name, spec.datatype, _shape(spec)) for spec in specs]
    return table("llll", rows)


def _shape(spec: TensorSpec) -> str:
    return " × ".join(str(size) for size in spec.shape) or "scalar"
