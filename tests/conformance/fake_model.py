"""The models of the fake servers, as functions, and what a conforming server does with a request to one."""

import json
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from modeldyno.bfloat16 import from_numbers, to_floats

Arrays = dict[str, "np.ndarray[Any, Any]"]
Specs = list[tuple[str, str, list[int]]]
DTYPES = {"BF16": "V2", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "INT64": "<i8", "INT32": "<i4", "BOOL": "?"}
VERSIONS = ["1", "2"]
WITHOUT_JSON = ("FP16", "BF16")


class Model(NamedTuple):
    inputs: Specs
    outputs: Specs
    compute: Callable[[Arrays], Arrays]


class RefusedError(Exception):
    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def _numbers(inputs: Arrays) -> Arrays:
    scaled = inputs["x"] * inputs["factor"] * np.where(inputs["negate"], -1, 1)
    scaled = scaled.astype("<f4")
    return {"sum": scaled.sum(axis=1, keepdims=True), "scaled": scaled}


def _texts(inputs: Arrays) -> Arrays:
    texts = inputs["text"].ravel().tolist()
    upper = np.empty(len(texts), object)
    upper[:] = [one.decode().upper().encode() for one in texts]
    shape = inputs["text"].shape
    return {"upper": upper.reshape(shape), "length": np.array([len(one) for one in texts], "<i8").reshape(shape)}


def _doubled(inputs: Arrays) -> Arrays:
    return {"y": inputs["x"] * 2}


def _doubled_halves(inputs: Arrays) -> Arrays:
    return {"y": from_numbers(to_floats(inputs["x"]) * 2)}


MODELS = {
    "bfloat": Model([("x", "BF16", [-1, 2])], [("y", "BF16", [-1, 2])], _doubled_halves),
    "half": Model([("x", "FP16", [-1, 2])], [("y", "FP16", [-1, 2])], _doubled),
    "numbers": Model(
        [("x", "FP32", [-1, 4]), ("factor", "INT64", [-1, 1]), ("negate", "BOOL", [-1, 1])],
        [("sum", "FP32", [-1, 1]), ("scaled", "FP32", [-1, 4])],
        _numbers,
    ),
    "single": Model([("x", "FP32", [-1, 3])], [("y", "FP32", [-1, 3])], _doubled),
    "texts": Model([("text", "BYTES", [-1, 1])], [("upper", "BYTES", [-1, 1]), ("length", "INT64", [-1, 1])], _texts),
}


def refuse_unless(holds: object, message: str) -> None:
    if not holds:
        raise RefusedError(message)


def parse_json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise RefusedError(f"not JSON: {problem}") from problem


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def read_inputs(model: Model, document: Any, tail: bytes) -> Arrays:
    refuse_unless(isinstance(document, dict), "not an object")
    refuse_unless(isinstance(document.get("id", ""), str), "the id is no text")
    entries = document.get("inputs")
    refuse_unless(isinstance(entries, list), "no inputs")
    inputs: Arrays = {}
    for entry in entries:
        inputs[entry.get("name", "")], tail = _read_input(model, entry, tail, inputs)
    refuse_unless(not tail, "bytes are left over")
    refuse_unless(set(inputs) == {name for name, _, _ in model.inputs}, "an input is missing")
    refuse_unless(len({len(array) for array in inputs.values()}) == 1, "rows differ")
    return inputs


def _read_input(model: Model, entry: Any, tail: bytes, known: Arrays) -> tuple["np.ndarray[Any, Any]", bytes]:
    specs = {name: (datatype, shape) for name, datatype, shape in model.inputs}
    refuse_unless(entry.get("name") in specs, "unknown input")
    refuse_unless(entry["name"] not in known, "repeated input")
    datatype, wanted = specs[entry["name"]]
    refuse_unless(entry.get("datatype") == datatype, "wrong datatype")
    shape = entry.get("shape")
    refuse_unless(isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape), "no shape")
    check_shape(shape, wanted)
    size = entry.get("parameters", {}).get("binary_data_size")
    if size is None:
        return _from_json(entry.get("data"), datatype, shape), tail
    refuse_unless("data" not in entry, "data twice")
    refuse_unless(type(size) is int and 0 <= size <= len(tail), "a bad size")
    return from_bytes(tail[:size], datatype, shape), tail[size:]


def check_shape(shape: list[int], wanted: list[int]) -> None:
    refuse_unless(len(shape) == len(wanted), "wrong rank")
    refuse_unless(all(there in (-1, here) for here, there in zip(shape, wanted, strict=True)), "wrong size")


def _from_json(data: Any, datatype: str, shape: list[int]) -> "np.ndarray[Any, Any]":
    refuse_unless(isinstance(data, list) and datatype not in WITHOUT_JSON, "no data")
    if data and isinstance(data[0], list):
        refuse_unless(all(isinstance(row, list) and len(row) == shape[1] for row in data), "ragged")
        data = [one for row in data for one in row]
    kinds: Any = {"BOOL": bool, "BYTES": str, "INT64": int}.get(datatype, (int, float))
    refuse_unless(all(isinstance(one, kinds) for one in data), "values of another kind")
    refuse_unless(len(data) == int(np.prod(shape, dtype=object)), "not as many data as the shape takes")
    if datatype == "BYTES":
        texts = np.empty(len(data), object)
        texts[:] = [one.encode() for one in data]
        return texts.reshape(shape)
    if datatype == "FP32":
        refuse_unless(all(abs(one) < 3e38 for one in data), "out of range")
    try:
        return np.array(data, DTYPES[datatype]).reshape(shape)
    except OverflowError as problem:
        raise RefusedError("out of range") from problem


def from_bytes(content: bytes, datatype: str, shape: list[int]) -> "np.ndarray[Any, Any]":
    count = int(np.prod(shape, dtype=object))
    if datatype != "BYTES":
        refuse_unless(len(content) == count * np.dtype(DTYPES[datatype]).itemsize, "another size than the shape's")
        return np.frombuffer(content, DTYPES[datatype]).reshape(shape)
    texts = []
    while content:
        refuse_unless(len(content) >= 4, "a cut length")
        length = struct.unpack("<I", content[:4])[0]
        refuse_unless(4 + length <= len(content), "an element beyond its tensor")
        texts.append(content[4 : 4 + length])
        content = content[4 + length :]
    refuse_unless(len(texts) == count, "not as many elements as the shape takes")
    array = np.empty(count, object)
    array[:] = texts
    return array.reshape(shape)


def to_bytes(array: "np.ndarray[Any, Any]", datatype: str) -> bytes:
    if datatype != "BYTES":
        return array.astype(DTYPES[datatype]).tobytes()
    return b"".join(struct.pack("<I", len(one)) + one for one in array.ravel().tolist())


def wanted_outputs(model: Model, document: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Name, datatype and whether it is to be binary."""
    datatypes = {name: datatype for name, datatype, _ in model.outputs}
    all_binary = document.get("parameters", {}).get("binary_data_output", False)
    asked = document.get("outputs") or [{"name": name} for name in datatypes]
    refuse_unless(all(entry.get("name") in datatypes for entry in asked), "unknown output")
    return [
        (entry["name"], datatypes[entry["name"]], entry.get("parameters", {}).get("binary_data", all_binary))
        for entry in asked
    ]
