"""The client's side of the Open Inference Protocol v2 (HTTP): requests out, responses in."""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.signature import DATATYPES, Signature
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_response import InferBody
from modeldyno.wire.v2_tensors import Buffer, decode_binary, decode_json, encode_binary, encode_json

_ALIGNMENT = 8


class _WireOutput(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, str | int | float | bool | None] = {}
    data: msgspec.Raw = msgspec.Raw()


class _WireResponse(msgspec.Struct, frozen=True):
    outputs: list[_WireOutput]


def encode_infer_request(
    inputs: Tensors,
    signature: Signature,
    *,
    binary: bool = True,
    request_id: str | None = None,
    parameters: Mapping[str, str | int | float | bool] | None = None,
) -> InferBody:
    """A request with these inputs, asking for all outputs in the same form.

    Args:
        inputs: name to array, with the dtype of the signature.
        signature: the model's.
        binary: tensors in binary, or all in JSON.
        request_id: comes back in the answer.
        parameters: of the request, beside those that say in which form it is answered.

    Raises:
        WireError: a tensor cannot be put in JSON (NaN, FP16, BF16, bytes that are not UTF-8).
    """
    described, contents = [], []
    for spec in signature.inputs:
        array = inputs[spec.name]
        content = encode_binary(array, spec.datatype) if binary else encode_json(array, spec.datatype)
        tensor: dict[str, object] = {"name": spec.name, "datatype": spec.datatype, "shape": list(array.shape)}
        if binary:
            tensor["parameters"] = {"binary_data_size": len(content)}
            contents.append(content)
        else:
            tensor["data"] = msgspec.Raw(content)
        described.append(tensor)
    # The id comes first, where a server can take it off and find the rest of the JSON the same in every request.
    request: dict[str, object] = {} if request_id is None else {"id": request_id}
    request["inputs"] = described
    if not binary:
        if parameters:
            request["parameters"] = parameters
        return InferBody(msgspec.json.encode(request), None)
    request["parameters"] = {"binary_data_output": True, **(parameters or {})}
    header = msgspec.json.encode(request)
    # Padded with JSON whitespace, so that the first tensor lies aligned in the body and need not be copied.
    header += b" " * (-len(header) % _ALIGNMENT)
    return InferBody(b"".join((header, *contents)), len(header))


def header_length(headers: Mapping[bytes, bytes]) -> int | None:
    """The `Inference-Header-Content-Length` of an answer; None without that header.

    Args:
        headers: names in lower case.

    Raises:
        WireError: it is no number.
    """
    value = headers.get(b"inference-header-content-length")
    if value is None:
        return None
    if not value.isdigit():
        raise WireError(f"Inference-Header-Content-Length is {value.decode('latin-1')!r}, which is no number")
    return int(value)


def decode_infer_response(body: Buffer, header_length: int | None = None) -> dict[str, NDArray[np.generic]]:
    """The outputs of an answer, by name.

    Args:
        body: the answer's body.
        header_length: its `Inference-Header-Content-Length`; None without that header.

    Raises:
        WireError: it is not what the protocol says.
    """
    end = len(body) if header_length is None else header_length
    if end > len(body):
        raise WireError(f"Inference-Header-Content-Length is {end}, but the body has {len(body)} bytes")
    try:
        response = msgspec.json.decode(body[:end], type=_WireResponse)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise WireError(f"not a valid inference response: {problem}") from problem
    outputs: dict[str, NDArray[np.generic]] = {}
    for output in response.outputs:
        if output.datatype not in DATATYPES:
            raise WireError(f"output {output.name!r} has the unknown datatype {output.datatype!r}")
        size = output.parameters.get("binary_data_size")
        if isinstance(size, int):
            if size > len(body) - end:
                raise WireError(f"output {output.name!r} takes {size} bytes, but {len(body) - end} are left")
            outputs[output.name] = decode_binary(output.datatype, output.shape, body, end, size)
            end += size
        else:
            outputs[output.name] = decode_json(output.datatype, output.shape, bytes(output.data))
    if end != len(body):
        raise WireError(f"{len(body) - end} bytes are left over after the outputs")
    return outputs
