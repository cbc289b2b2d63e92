"""Inference requests as documents that a rule can change before they are sent."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.conformance.endings import SkippedError
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.protocols import Tensors
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.v2_tensors import encode_binary

Document = dict[str, Any]


def plausible_inputs(signature: Signature, rows: int, seed: int) -> dict[str, NDArray[np.generic]]:
    """Made values for every input: `rows` of them where the first dimension is open, else as many as it says."""
    return {spec.name: _plausible(spec, rows, seed) for spec in signature.inputs}


def _plausible(spec: TensorSpec, rows: int, seed: int) -> NDArray[np.generic]:
    first = spec.shape[0] if spec.shape else 1
    count = first if isinstance(first, int) else rows
    shaped = spec if spec.shape else TensorSpec(name=spec.name, datatype=spec.datatype, shape=("batch",))
    if count == 0:
        raise SkippedError(f"input {spec.name!r} has no elements")
    made = synthetic_dataset(Signature(inputs=(shaped,), outputs=()), rows=count, seed=seed).inputs(0, count)
    values = made[spec.name]
    return values if spec.shape else values.reshape(())


def json_question(signature: Signature, inputs: Tensors, *, nested: bool = False) -> Document:
    """A request with flat or nested JSON data."""
    entries = []
    for spec in signature.inputs:
        array = inputs[spec.name]
        data = array.tolist() if nested and array.ndim else array.ravel().tolist()
        if spec.datatype == "BYTES":
            data = _as_texts(data)
        entries.append({"name": spec.name, "shape": list(array.shape), "datatype": spec.datatype, "data": data})
    return {"inputs": entries}


def _as_texts(data: list[Any]) -> list[Any]:
    return [
        _as_texts(one) if isinstance(one, list) else one.decode() if isinstance(one, bytes) else str(one)
        for one in data
    ]


def binary_question(signature: Signature, inputs: Tensors) -> tuple[Document, list[bytes]]:
    """A request with all inputs in binary: the document, and the bytes of each input."""
    contents = [encode_binary(inputs[spec.name], spec.datatype) for spec in signature.inputs]
    entries = [
        {
            "name": spec.name,
            "shape": list(inputs[spec.name].shape),
            "datatype": spec.datatype,
            "parameters": {"binary_data_size": len(content)},
        }
        for spec, content in zip(signature.inputs, contents, strict=True)
    ]
    return {"inputs": entries}, contents


def to_bytes(document: Any) -> bytes:
    """As JSON, with characters beyond ASCII as they are."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def row_of(inputs: Mapping[str, NDArray[np.generic]], number: int) -> dict[str, NDArray[np.generic]]:
    """One row of every input, still with its first dimension."""
    return {name: array[number : number + 1] for name, array in inputs.items()}
