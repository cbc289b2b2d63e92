"""NumPy files: `.npz` with named arrays, `.npy` with features only. Pickled arrays are never loaded."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.fitting import fit_tensors
from modeldyno.data.labels import FEATURE_NAMES, LABEL_NAMES, check_labels, choose_labels
from modeldyno.errors import DataError
from modeldyno.records.signature import Signature


def open_npz(path: Path, signature: Signature, label: str | None) -> ArrayDataset:
    """Arrays named like the model's inputs, or one called X, x, data or inputs, and labels.

    Raises:
        DataError: unreadable, ambiguous, or not fitting the model.
    """
    arrays = read_arrays(path)
    names = list(arrays)
    inputs = {spec.name for spec in signature.inputs}
    by_name = inputs <= set(names)
    labels = choose_labels(path.name, names, label, inputs if by_name else set())
    if by_name:
        features = {name: arrays[name] for name in inputs}
    else:
        chosen = _choose_features(path, [name for name in names if name != labels], signature)
        features = {signature.inputs[0].name: arrays[chosen]}
    tensors = fit_tensors(path.name, features, signature)
    rows = len(next(iter(tensors.values())))
    checked = None if labels is None else check_labels(path.name, labels, arrays[labels], rows)
    return ArrayDataset(path.name, tensors, checked, labels)


def open_npy(path: Path, signature: Signature, label: str | None) -> ArrayDataset:
    """One array with the features; it has no room for labels.

    Raises:
        DataError: unreadable, a label was asked for, or not fitting the model.
    """
    array = read_arrays(path)
    if label is not None:
        raise DataError(f"{path.name} is one array without labels", hint="np.savez the features as X and labels as y")
    if len(signature.inputs) != 1:
        names = ", ".join(spec.name for spec in signature.inputs)
        raise DataError(
            f"{path.name} is one array, the model takes {len(signature.inputs)} inputs: {names}",
            hint="np.savez them under these names",
        )
    tensors = fit_tensors(path.name, {signature.inputs[0].name: array[""]}, signature)
    return ArrayDataset(path.name, tensors)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array in the file; the one of a .npy file has no name.

    Raises:
        DataError: damaged, or holding pickled objects.
    """
    try:
        # Opened here because numpy leaves its own handle open when an archive is damaged.
        with path.open("rb") as stream:
            content = np.load(stream, allow_pickle=False)
            return {"": content} if isinstance(content, np.ndarray) else {name: content[name] for name in content}
    except Exception as problem:  # numpy, zipfile and zlib each have their own errors for a damaged file
        pickled = "allow_pickle" in str(problem)
        raise DataError(
            f"{path} holds pickled Python objects, which are never loaded" if pickled else f"cannot read {path}",
            why="reading them runs whatever code their author put in" if pickled else _first_line(problem),
            hint="save plain arrays of numbers or text (dtype float32, int64, str)" if pickled else "",
        ) from problem


def _choose_features(path: Path, names: list[str], signature: Signature) -> str:
    if len(signature.inputs) > 1:
        missing = [spec.name for spec in signature.inputs if spec.name not in names]
        raise DataError(
            f"{path.name} lacks the model's inputs {', '.join(missing)}",
            why=f"it holds {', '.join(names) or 'nothing'}",
            hint="np.savez one array for each input, under its name",
        )
    usual = [name for name in names if name in FEATURE_NAMES]
    candidates = usual or [name for name in names if name not in LABEL_NAMES]
    if len(candidates) == 1:
        return candidates[0]
    wanted = signature.inputs[0].name
    raise DataError(
        f"it is not clear which array of {path.name} holds the features: it has {', '.join(names) or 'none'}",
        why=f"expected one called {wanted}, {', '.join(FEATURE_NAMES[:-1])} or {FEATURE_NAMES[-1]}",
        hint="rename the array, or say which one holds the labels with --label NAME",
    )


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__
