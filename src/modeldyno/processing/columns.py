"""Operations on several tensors: which are kept, what they are called, and which are put together."""

from collections.abc import Callable, Sequence

import numpy as np

from modeldyno.errors import UsageError
from modeldyno.processing.steps import Array, Specs, Step, axis_of, has_rows, require_new, spec_of
from modeldyno.protocols import Tensors
from modeldyno.records.processing import Concatenate, JoinColumns, Rename, Select, SplitColumns
from modeldyno.records.signature import DATATYPES, TensorSpec

_ANY = frozenset(DATATYPES)


def plan_select(operation: Select, specs: Specs) -> Step:
    """See `Select`."""
    found = _all_of(operation.tensors, specs)
    names = operation.tensors
    return Step({spec.name: spec for spec in found}, lambda tensors: {name: tensors[name] for name in names})


def plan_rename(operation: Rename, specs: Specs) -> Step:
    """See `Rename`."""
    names = operation.names
    _all_of(tuple(names), specs)
    require_new(tuple(names.values()), specs, tuple(names))
    renamed = {
        names.get(name, name): TensorSpec(name=names.get(name, name), datatype=spec.datatype, shape=spec.shape)
        for name, spec in specs.items()
    }
    return Step(renamed, lambda tensors: {names.get(name, name): array for name, array in tensors.items()})


def plan_concatenate(operation: Concatenate, specs: Specs) -> Step:
    """See `Concatenate`."""
    found = _all_of(operation.tensors, specs)
    _require_alike(found)
    first = found[0]
    axis = axis_of(operation.axis, first)
    for spec in found:
        rest = len(spec.shape) == len(first.shape) and [spec.shape[:axis], spec.shape[axis + 1 :]]
        if rest != [first.shape[:axis], first.shape[axis + 1 :]]:
            raise UsageError(
                f"tensors {first.name!r} and {spec.name!r} do not fit side by side along axis {operation.axis}",
                why=f"their shapes are {list(first.shape)} and {list(spec.shape)}",
            )
    sizes = [spec.shape[axis] for spec in found]
    whole = [size for size in sizes if isinstance(size, int)]
    size = sum(whole) if len(whole) == len(sizes) else "+".join(map(str, sizes))
    shape = (*first.shape[:axis], size, *first.shape[axis + 1 :])
    made = TensorSpec(name=operation.output, datatype=first.datatype, shape=shape)
    return _joined(operation.tensors, specs, made, lambda arrays: np.concatenate(arrays, axis))


def plan_join_columns(operation: JoinColumns, specs: Specs) -> Step:
    """See `JoinColumns`."""
    found = _all_of(operation.tensors, specs)
    _require_alike(found)
    rows = found[0].shape[:1]
    for spec in found:
        if not spec.shape or spec.shape[:1] != rows or spec.shape[1:] not in ((), (1,)):
            raise UsageError(
                f"tensor {spec.name!r} is no column",
                why=f"its shape is {list(spec.shape)}, and [{rows[0] if rows else 'rows'}] or one column is needed",
            )
    made = TensorSpec(name=operation.output, datatype=found[0].datatype, shape=(*rows, len(found)))
    return _joined(
        operation.tensors,
        specs,
        made,
        lambda arrays: np.stack([array.reshape(len(array)) for array in arrays], axis=1),
    )


def plan_split_columns(operation: SplitColumns, specs: Specs) -> Step:
    """See `SplitColumns`."""
    spec = spec_of(operation.tensor, specs, _ANY, "tensors")
    if len(spec.shape) != 2 or spec.shape[1] != len(operation.outputs):
        raise UsageError(
            f"tensor {spec.name!r} has not {len(operation.outputs)} columns", why=f"its shape is {list(spec.shape)}"
        )
    require_new(operation.outputs, specs, (operation.tensor,))
    kept = {name: one for name, one in specs.items() if name != operation.tensor}
    made = {name: TensorSpec(name=name, datatype=spec.datatype, shape=spec.shape[:1]) for name in operation.outputs}

    def apply(tensors: Tensors) -> dict[str, Array]:
        array = tensors[operation.tensor]
        columns = {name: np.ascontiguousarray(array[:, place]) for place, name in enumerate(operation.outputs)}
        return {**{name: tensors[name] for name in kept}, **columns}

    return Step({**kept, **made}, apply)


def _all_of(names: tuple[str, ...], specs: Specs) -> list[TensorSpec]:
    if not names:
        raise UsageError("no tensor is named")
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UsageError(f"tensor {name!r} is named twice")
    return [spec_of(name, specs, _ANY, "tensors") for name in names]


def _require_alike(found: Sequence[TensorSpec]) -> None:
    for spec in found:
        if spec.datatype != found[0].datatype or has_rows(spec) != has_rows(found[0]):
            raise UsageError(
                f"tensors {found[0].name!r} and {spec.name!r} cannot be put together",
                why=f"they are {found[0].datatype} {list(found[0].shape)} and {spec.datatype} {list(spec.shape)}",
            )


def _joined(names: tuple[str, ...], specs: Specs, made: TensorSpec, compute: Callable[[list[Array]], Array]) -> Step:
    require_new((made.name,), specs, names)
    kept = {name: spec for name, spec in specs.items() if name not in names}

    def apply(tensors: Tensors) -> dict[str, Array]:
        whole = compute([tensors[name] for name in names])
        return {**{name: tensors[name] for name in kept}, made.name: whole}

    return Step({**kept, made.name: made}, apply)
