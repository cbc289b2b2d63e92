"""What one model of a pipeline takes of the tensors that are there, and what it gives."""

from collections.abc import Mapping

import msgspec

from modeldyno.errors import UsageError
from modeldyno.processing.steps import Specs
from modeldyno.records.signature import Signature, TensorSpec

BATCH = "batch"
"""What the rows' dimension is called in the signature of every pipeline."""


def own_inputs(signature: Signature) -> dict[str, TensorSpec]:
    """The inputs of a model with which a pipeline begins."""
    if not signature.has_batch_dimension:
        return {spec.name: spec for spec in signature.inputs}
    rows = signature.inputs[0].shape[0]
    return {spec.name: _renamed(spec, {str(rows): BATCH}) for spec in signature.inputs}


def _renamed(spec: TensorSpec, dimensions: Mapping[str, int | str]) -> TensorSpec:
    shape = tuple(dimensions.get(size, size) if isinstance(size, str) else size for size in spec.shape)
    return msgspec.structs.replace(spec, shape=shape)


def bind(member: str, signature: Signature, specs: Specs) -> dict[str, TensorSpec]:
    """What the model gives when these tensors are there; its own names of dimensions become those of the tensors.

    Raises:
        UsageError: an input is missing, or of another datatype or shape.
    """
    dimensions: dict[str, int | str] = {}
    for wanted in signature.inputs:
        given = specs.get(wanted.name)
        if given is None:
            there = ", ".join(f"{spec.name!r} {spec.datatype} {list(spec.shape)}" for spec in specs.values())
            raise UsageError(
                f"{member!r} takes an input {wanted.name!r} {wanted.datatype} {list(wanted.shape)}, which is not there",
                why=f"what is there: {there}",
                hint='rename a tensor before it: {"op": "rename", "names": {"OLD": "NEW"}}',
            )
        if given.datatype != wanted.datatype:
            raise UsageError(
                f"{member!r} takes {wanted.name!r} as {wanted.datatype}, and {given.datatype} is there",
                hint=f'cast it before: {{"op": "cast", "tensor": "{wanted.name}", "datatype": "{wanted.datatype}"}}',
            )
        _match(member, wanted, given, dimensions)
    return {spec.name: _renamed(spec, _with_own(member, spec, dimensions)) for spec in signature.outputs}


def _match(member: str, wanted: TensorSpec, given: TensorSpec, dimensions: dict[str, int | str]) -> None:
    fits = len(wanted.shape) == len(given.shape)
    for size, found in zip(wanted.shape, given.shape, strict=False):
        fits = fits and (size == found if isinstance(size, int) else dimensions.setdefault(size, found) == found)
    if not fits:
        raise UsageError(
            f"{member!r} takes {wanted.name!r} with shape {list(wanted.shape)}, and {list(given.shape)} is there",
            why="a dimension that varies cannot stand for a fixed one, and one name stands for one size",
            hint="declare the shape that it takes, or change it before: reshape, transpose, split_columns",
        )


def _with_own(member: str, spec: TensorSpec, dimensions: Mapping[str, int | str]) -> dict[str, int | str]:
    """The names that only outputs have are the model's own, whatever they are called elsewhere."""
    own = {size: f"{member}.{size}" for size in spec.shape if isinstance(size, str) and size not in dimensions}
    return {**dimensions, **own}
