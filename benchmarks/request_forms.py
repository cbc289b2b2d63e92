"""One row as each server wants it: as a request file for `dyno load`, and how its answer is read."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from nets import Array, Net

from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_client import decode_infer_response, encode_infer_request

_HEADER_LENGTH = "Inference-Header-Content-Length"


class Form(NamedTuple):
    """A request, and how its answer is read."""

    path: str
    headers: dict[str, str]
    body: bytes
    read: Callable[[bytes, Mapping[str, str]], Array]
    """The output, from a body and its headers."""


def oip_binary(net: Net) -> Form:
    """The Open Inference Protocol with binary tensors, both ways."""
    encoded = encode_infer_request({"x": net.row}, net.signature)
    headers = {"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(encoded.header_length)}
    return Form(_oip_path(net), headers, encoded.body, _read_oip)


def oip_json(net: Net) -> Form:
    """The Open Inference Protocol, data as one flat array."""
    tensor = {"name": "x", "shape": list(net.row.shape), "datatype": net.signature.inputs[0].datatype}
    body = json.dumps({"inputs": [{**tensor, "data": _plain(net.row.ravel())}]}).encode()
    return Form(_oip_path(net), {"Content-Type": "application/json"}, body, _read_oip)


def raw(path: str) -> Callable[[Net], Form]:
    """The tensors' bytes and nothing else, as one writes who has both ends in hand."""

    def form(net: Net) -> Form:
        return Form(path, {"Content-Type": "application/octet-stream"}, net.row.tobytes(), _read_raw)

    return form


def nested_json(path: str) -> Callable[[Net], Form]:
    """`{"x": [[...]]}`, nested as the shape is."""

    def form(net: Net) -> Form:
        body = json.dumps({"x": _plain(net.row)}).encode()
        return Form(path, {"Content-Type": "application/json"}, body, _read_nested)

    return form


def write_request(form: Form, directory: Path) -> list[str]:
    """Write the files that `dyno load` sends the form from, and return its arguments."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "body").write_bytes(form.body)
    (directory / "rows.csv").write_text("file\nbody\n")
    headers = "".join(f"{name}: {value}\n" for name, value in form.headers.items())
    (directory / "infer.http").write_text(f"POST {form.path}\n{headers}\n{{{{file|content|raw}}}}\n")
    return ["--request", str(directory / "infer.http"), "--data", str(directory / "rows.csv")]


def find_fault(form: Form, net: Net, url: str, bearer: str = "") -> str | None:
    """Send the row once: None when the answer is the model's, else what is wrong.

    Raises:
        OSError: the server is not there.
    """
    headers = {**form.headers, **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
    request = urllib.request.Request(url + form.path, form.body, headers)  # noqa: S310 - of this machine
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - of this machine
            given = form.read(answer.read(), answer.headers)
    except urllib.error.HTTPError as problem:
        return f"status {problem.code}: {problem.read()[:200]!r}"
    except (ValueError, KeyError, WireError) as problem:
        return f"an answer that cannot be read: {problem}"
    is_right = given.size == net.answer.size and np.allclose(given.ravel(), net.answer.ravel(), rtol=1e-3, atol=1e-4)
    return None if is_right else f"a wrong answer: {given.ravel()[:4]}, not {net.answer.ravel()[:4]}"


def _oip_path(net: Net) -> str:
    return f"/v2/models/{net.name}/infer"


def _plain(array: Array) -> list[Any]:
    """Numbers with as many digits as they need, in the array's shape; float32 would become 0.10000000149."""
    if array.dtype != np.float32:
        listed: list[Any] = array.tolist()
        return listed
    shortest = np.array([float(str(value)) for value in array.ravel()])
    nested: list[Any] = shortest.reshape(array.shape).tolist()
    return nested


def _read_oip(body: bytes, headers: Mapping[str, str]) -> Array:
    length = headers.get(_HEADER_LENGTH)
    return decode_infer_response(body, None if length is None else int(length))["y"]


def _read_raw(body: bytes, _headers: Mapping[str, str]) -> Array:
    return np.frombuffer(body, np.float32)


def _read_nested(body: bytes, _headers: Mapping[str, str]) -> Array:
    document = json.loads(body)
    return np.array(document["y"] if isinstance(document, dict) else document, np.float32)
