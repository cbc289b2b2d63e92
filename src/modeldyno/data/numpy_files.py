"""NumPy files: `.npz` with named arrays, `.npy` with features only. Pickled arrays are never loaded."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import as_numbers
from modeldyno.data.arrays import ArrayDataset
from modeldyno.data.asked import Asked
from modeldyno.data.fitting import fit_tensors
from modeldyno.data.labels import FEATURE_NAMES, LABEL_NAMES, check_labels, choose_labels
from modeldyno.data.mapped_arrays import map_arrays
from modeldyno.data.missing_inputs import missing_inputs
from modeldyno.data.streamed import StreamedDataset
from modeldyno.errors import DataError, first_line
from modeldyno.protocols import Dataset
from modeldyno.records.signature import Signature


def open_npz(path: Path, asked: Asked, *, streamed: bool = False) -> Dataset:
    """Arrays named like the model's inputs, or one called X, x, data or inputs, and labels.

    Args:
        path: the file.
        asked: what is wanted.
        streamed: map the arrays instead of reading them.

    Raises:
        DataError: unreadable, ambiguous, or not fitting the model.
    """
    held = map_arrays(path) if streamed else read_arrays(path)
    arrays = {name: held[name] for name in asked.without(list(held))}
    signature = asked.signature
    names = list(arrays)
    inputs = {spec.name for spec in signature.inputs}
    by_name = inputs <= set(names)
    labels = choose_labels(path.name, names, asked.label, inputs if by_name else set())
    if by_name:
        features = {spec.name: arrays[spec.name] for spec in signature.inputs}
    else:
        chosen = _choose_features(path, [name for name in names if name != labels], signature)
        features = {signature.inputs[0].name: arrays[chosen]}
    rows = _rows(path, features)
    checked = None if labels is None else check_labels(path.name, labels, np.asarray(arrays[labels]), rows)
    return _dataset(path, features, asked, checked, labels, streamed=streamed)


def open_npy(path: Path, asked: Asked, *, streamed: bool = False) -> Dataset:
    """One array with the features; it has no room for labels. See `open_npz`.

    Raises:
        DataError: unreadable, a label was asked for, or not fitting the model.
    """
    arrays = map_arrays(path) if streamed else read_arrays(path)
    signature = asked.signature
    if asked.label is not None:
        raise DataError(f"{path.name} is one array without labels", hint="np.savez the features as X and labels as y")
    if len(signature.inputs) != 1:
        names = ", ".join(spec.name for spec in signature.inputs)
        raise DataError(
            f"{path.name} is one array, the model takes {len(signature.inputs)} inputs: {names}",
            hint="np.savez them under these names",
        )
    return _dataset(path, {signature.inputs[0].name: arrays[""]}, asked, None, None, streamed=streamed)


def _dataset(
    path: Path,
    features: dict[str, NDArray[Any]],
    asked: Asked,
    labels: NDArray[Any] | None,
    label_name: str | None,
    *,
    streamed: bool,
) -> Dataset:
    if not streamed:
        tensors = fit_tensors(path.name, features, asked.signature, may_miss=asked.may_miss)
        return ArrayDataset(path.name, tensors, labels, label_name)

    def read(start: int, stop: int) -> dict[str, NDArray[Any]]:
        return {name: np.asarray(array[start:stop]) for name, array in features.items()}

    dataset = StreamedDataset(path.name, _rows(path, features), read, asked, labels, label_name)
    dataset.inputs(0, 1)  # what does not fit at all is refused now
    return dataset


def _rows(path: Path, features: dict[str, NDArray[Any]]) -> int:
    rows = {name: len(array) if array.ndim else 0 for name, array in features.items()}
    if len(set(rows.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise DataError(f"the inputs in {path.name} differ in their number of rows", why=told)
    return next(iter(rows.values()))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array in the file; the one of a .npy file has no name. BF16, which NumPy has no name for, comes as float32.

    Raises:
        DataError: damaged, or holding pickled objects.
    """
    try:
        # Opened here because numpy leaves its own handle open when an archive is damaged.
        with path.open("rb") as stream:
            content = np.load(stream, allow_pickle=False)
            arrays = {"": content} if isinstance(content, np.ndarray) else {name: content[name] for name in content}
    except Exception as problem:  # numpy, zipfile and zlib each have their own errors for a damaged file
        pickled = "allow_pickle" in str(problem)
        raise DataError(
            f"{path} holds pickled Python objects, which are never loaded" if pickled else f"cannot read {path}",
            why="reading them runs whatever code their author put in" if pickled else first_line(problem),
            hint="save plain arrays of numbers or text (dtype float32, int64, str)" if pickled else "",
        ) from problem
    return {name: as_numbers(array) for name, array in arrays.items()}


def _choose_features(path: Path, names: list[str], signature: Signature) -> str:
    if len(signature.inputs) > 1:
        missing = [spec.name for spec in signature.inputs if spec.name not in names]
        raise missing_inputs(
            path.name,
            missing,
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
