"""The REST API of TensorFlow Serving: metadata to a signature, tensors to requests, answers to tensors.

Source: https://www.tensorflow.org/tfx/serving/api_rest. Floats may be `NaN`, `Infinity` and `-Infinity`, which no JSON
allows (its section "JSON conformance"), so that Python's `json` writes and reads them here; bytes are an object with
the one key `b64`.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.errors import WireError

Method = Literal["predict", "classify", "regress"]

DEFAULT_SIGNATURE = "serving_default"
UNNAMED = ""
"""The name of an answer's only output, which TensorFlow Serving leaves out."""

_DATATYPES = {
    "DT_BOOL": "BOOL", "DT_UINT8": "UINT8", "DT_UINT16": "UINT16", "DT_UINT32": "UINT32", "DT_UINT64": "UINT64",
    "DT_INT8": "INT8", "DT_INT16": "INT16", "DT_INT32": "INT32", "DT_INT64": "INT64",
    "DT_HALF": "FP16", "DT_FLOAT": "FP32", "DT_DOUBLE": "FP64", "DT_STRING": "BYTES",
}  # fmt: skip
_METHODS: dict[str, Method] = {
    "tensorflow/serving/predict": "predict",
    "tensorflow/serving/classify": "classify",
    "tensorflow/serving/regress": "regress",
}


class ServedSignature(NamedTuple):
    """One of the signatures that a model is served with."""

    name: str
    method: Method
    signature: Signature


def decode_metadata(body: bytes, name: str = DEFAULT_SIGNATURE) -> ServedSignature:
    """The signature `name` in the answer to `GET /v1/models/MODEL/metadata`.

    Raises:
        WireError: it is not such an answer, or there is no such signature; the message names those there are.
    """
    try:
        offered = json.loads(body)["metadata"]["signature_def"]["signature_def"]
        if name not in offered:
            usable = ", ".join(sorted(one for one in offered if not one.startswith("__"))) or "none"
            raise WireError(f"the model has no signature {name!r}; it has {usable}")
        found = offered[name]
        method = _METHODS.get(found.get("method_name", ""))
        signature = Signature(inputs=_specs(found.get("inputs", {})), outputs=_specs(found.get("outputs", {})))
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise WireError(f"not metadata of a TensorFlow model: {problem!r}") from problem
    if method is None:
        raise WireError(f"signature {name!r} is of method {found.get('method_name')!r}, which has no REST call")
    if not signature.inputs:
        raise WireError(f"signature {name!r} has no inputs")
    return ServedSignature(name, method, signature)


def _specs(tensors: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(_spec(name, tensor) for name, tensor in sorted(tensors.items()))


def _spec(name: str, tensor: Mapping[str, Any]) -> TensorSpec:
    datatype = _DATATYPES.get(tensor["dtype"])
    if datatype is None:
        raise WireError(f"tensor {name!r} has the datatype {tensor['dtype']!r}, which REST does not carry")
    if tensor["tensor_shape"].get("unknown_rank"):
        raise WireError(f"tensor {name!r} has an unknown number of dimensions; send requests from a template file")
    sizes = [int(one["size"]) for one in tensor["tensor_shape"].get("dim", [])]
    shape = tuple(size if size >= 0 else ("batch" if place == 0 else f"dim{place}") for place, size in enumerate(sizes))
    return TensorSpec(name=name, datatype=datatype, shape=shape)


def encode_predict(inputs: Tensors, served: ServedSignature, *, by_column: bool = False) -> bytes:
    """The body of a `predict`.

    Args:
        inputs: name to array, all with the same number of rows.
        served: the signature.
        by_column: in the columnar format, tensor by tensor; without it row by row.
    """
    columns = {spec.name: _values(inputs[spec.name]) for spec in served.signature.inputs}
    only = next(iter(columns.values())) if len(columns) == 1 else None
    if by_column:
        return _request(served, "inputs", columns if only is None else only)
    return _request(served, "instances", _rows(columns) if only is None else only)


def encode_examples(examples: Sequence[Mapping[str, object]], served: ServedSignature) -> bytes:
    """The body of a `classify` or `regress`: for each example its features, numbers, texts, bytes or lists of them."""
    return _request(served, "examples", [{name: _feature(one[name]) for name in one} for one in examples])


def _request(served: ServedSignature, key: str, content: object) -> bytes:
    named = {} if served.name == DEFAULT_SIGNATURE else {"signature_name": served.name}
    return json.dumps({**named, key: content}, separators=(",", ":")).encode()


def _feature(value: object) -> object:
    if isinstance(value, list):
        return [_feature(one) for one in value]
    return _text(value) if isinstance(value, bytes) else value


def _rows(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(array: NDArray[Any]) -> list[Any]:
    if array.dtype == object:
        texts = np.empty(array.size, object)
        texts[:] = [_text(element) for element in array.ravel().tolist()]
        values: list[Any] = texts.reshape(array.shape).tolist()
        return values
    listed: list[Any] = array.tolist()
    return listed


def _text(element: bytes) -> object:
    try:
        return element.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(element).decode()}


def decode_answer(body: bytes) -> dict[str, NDArray[np.generic]]:
    """The outputs of an answer, by name; the only output of a `predict` and the values of a `regress` are `UNNAMED`.

    A `classify` has the outputs `classes` and `scores`. Numbers come as JSON has them, as INT64 or FP64; texts are
    BYTES.

    Raises:
        WireError: it is not an answer, or its rows differ in length.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise WireError(f"not JSON: {problem}") from problem
    # The page writes `result` where it describes the format, and `results` in its example, as the server does.
    key = next((key for key in ("predictions", "outputs", "results", "result") if key in answer), None)
    if not isinstance(answer, dict) or key is None:
        raise WireError("not an answer of TensorFlow Serving: it has neither predictions, outputs nor results")
    value = answer[key]
    if key == "predictions" and isinstance(value, list) and value and all(_is_named(row) for row in value):
        if any(row.keys() != value[0].keys() for row in value):
            raise WireError("the predictions differ in the names of their outputs")
        return {name: _array(name, [row[name] for row in value]) for name in value[0]}
    if key == "outputs" and _is_named(value):
        return {name: _array(name, column) for name, column in value.items()}
    if key.startswith("result") and _is_classified(value):
        return {
            "classes": _array("classes", [[pair[0] for pair in row] for row in value]),
            "scores": _array("scores", [[pair[1] for pair in row] for row in value]),
        }
    return {UNNAMED: _array("the only output", value)}


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and value.keys() != {"b64"}


def _is_classified(value: object) -> bool:
    """Whether it is a list of rows of pairs of label and score."""
    return isinstance(value, list) and all(
        isinstance(row, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in row) for row in value
    )


def _array(name: str, value: object) -> NDArray[np.generic]:
    try:
        array = np.array(value)
        if array.dtype.kind in "biuf":
            return array
        # As objects: NumPy's own texts lose zero bytes at their end.
        elements = np.array(value, object)
        flat = np.empty(elements.size, object)
        flat[:] = [_bytes(element) for element in elements.ravel().tolist()]
    except ValueError as problem:
        raise WireError(f"{name} is not a regular array of numbers, of truths or of texts") from problem
    return flat.reshape(elements.shape)


def _bytes(element: object) -> bytes:
    if isinstance(element, str):
        return element.encode()
    if isinstance(element, dict) and element.keys() == {"b64"} and isinstance(element["b64"], str):
        return base64.b64decode(element["b64"], validate=True)
    raise ValueError(element)
