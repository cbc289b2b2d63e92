"""Weights that an ONNX model keeps in other files beside it."""

from pathlib import Path
from typing import Any

from modeldyno.errors import InputError


def external_files(model: Any, path: Path) -> tuple[str, ...]:
    """The files that an `onnx.ModelProto` names, relative to its folder; none when it holds its weights itself.

    Raises:
        InputError: one is missing, too short, or outside the folder.
    """
    needed: dict[str, int] = {}
    for tensor in _tensors_elsewhere(model):
        place = {entry.key: entry.value for entry in tensor.external_data}
        name = place.get("location", "")
        end = int(place.get("offset", 0)) + int(place.get("length", 0))
        needed[name] = max(needed.get(name, 0), end)
    for name, size in needed.items():
        _check(path, name, size)
    return tuple(sorted(needed))


def _tensors_elsewhere(model: Any) -> list[Any]:
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    return [tensor for tensor in _get_all_tensors(model) if uses_external_data(tensor)]


def _check(path: Path, name: str, size: int) -> None:
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(
            f"{path} keeps weights in {name!r}, outside its own folder",
            why="such a model could read any file of this machine",
            hint=f'python -c \'import onnx; onnx.save(onnx.load("{path}"), "{path.stem}-one-file.onnx")\'',
        )
    place = path.parent / name
    if not place.is_file():
        raise InputError(
            f"{path} needs the file {name!r} beside it, which is missing",
            why="it keeps weights there",
            hint="copy that file next to the model, or save the model as one file",
        )
    if place.stat().st_size < size:
        raise InputError(
            f"{place} is cut short",
            why=f"it has {place.stat().st_size} bytes, and {path.name} keeps weights up to byte {size} there",
            hint="copy that file again",
        )
