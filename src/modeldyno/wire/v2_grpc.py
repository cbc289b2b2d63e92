"""The Open Inference Protocol v2 over gRPC: tensors to messages and back.

Tensors are sent raw, as in the binary extension of the HTTP form (`v2_tensors`); typed contents are understood in
answers, for some servers send nothing else.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.protocols import Tensors
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_documents import may_be_asked
from modeldyno.wire.v2_messages import message_class, parse_message
from modeldyno.wire.v2_tensors import decode_binary, encode_binary

_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
"""Field of `InferTensorContents` for each datatype; FP16 and BF16 have none and can only be sent raw."""


def encode_infer_request(inputs: Tensors, signature: Signature, model: str, *, request_id: str = "") -> bytes:
    """A `ModelInferRequest` with these inputs, raw, that asks for all outputs.

    Args:
        inputs: name to array, with the dtype of the signature.
        signature: the model's.
        model: its name on the server, which chooses the version.
        request_id: comes back in the answer.
    """
    request = message_class("ModelInferRequest")(model_name=model, id=request_id)
    for spec in signature.inputs:
        array = inputs[spec.name]
        request.inputs.add(name=spec.name, datatype=spec.datatype, shape=array.shape)
        request.raw_input_contents.append(encode_binary(array, spec.datatype))
    return bytes(request.SerializeToString())


def parse_infer_response(message: bytes) -> Any:
    """A `ModelInferResponse`.

    Raises:
        WireError: it is none.
    """
    return parse_message("ModelInferResponse", message)


def infer_outputs(response: Any) -> dict[str, NDArray[np.generic]]:
    """The outputs of what `parse_infer_response` gave, by name.

    Raises:
        WireError: a tensor is not what its datatype and shape say, or there are not as many contents as outputs.
    """
    raw = response.raw_output_contents
    if raw and len(raw) != len(response.outputs):
        raise WireError(f"the answer has {len(response.outputs)} outputs, but {len(raw)} raw contents")
    outputs: dict[str, NDArray[np.generic]] = {}
    for place, output in enumerate(response.outputs):
        if output.datatype not in DATATYPES:
            raise WireError(f"output {output.name!r} has the unknown datatype {output.datatype!r}")
        if any(size < 0 for size in output.shape):
            raise WireError(f"output {output.name!r} has the shape {list(output.shape)}")
        if raw:
            content = raw[place]
            outputs[output.name] = decode_binary(output.datatype, output.shape, content, 0, len(content))
        else:
            outputs[output.name] = _decode_typed(output)
    return outputs


def _decode_typed(output: Any) -> NDArray[np.generic]:
    field = _CONTENTS.get(output.datatype)
    if field is None:
        raise WireError(f"output {output.name!r} is {output.datatype}, which can only be sent raw")
    values: Sequence[Any] = getattr(output.contents, field)
    if len(values) != math.prod(output.shape):
        raise WireError(
            f"output {output.name!r} of shape {list(output.shape)} takes {math.prod(output.shape)} values; "
            f"{len(values)} came as {field}"
        )
    try:
        array: NDArray[np.generic] = np.array(list(values), DATATYPES[output.datatype])
    except OverflowError as problem:
        raise WireError(f"output {output.name!r} holds a value out of the range of {output.datatype}") from problem
    return array.reshape(tuple(output.shape))


def encode_metadata_request(model: str) -> bytes:
    """A `ModelMetadataRequest`."""
    return bytes(message_class("ModelMetadataRequest")(name=model).SerializeToString())


def decode_metadata(message: bytes) -> Signature:
    """Inputs and outputs in a `ModelMetadataResponse`; a size of -1 gets a name, that of the first place `batch`.

    Raises:
        WireError: it is none, lacks inputs or outputs, or has a datatype that is not of the protocol's.
    """
    metadata = parse_message("ModelMetadataResponse", message)
    if not metadata.inputs or not metadata.outputs:
        raise WireError(f"{len(metadata.inputs)} inputs and {len(metadata.outputs)} outputs are listed")
    return Signature(inputs=_specs(metadata.inputs), outputs=_specs(metadata.outputs))


def _specs(tensors: Any) -> tuple[TensorSpec, ...]:
    unknown = sorted({tensor.datatype for tensor in tensors} - set(DATATYPES))
    if unknown:
        raise WireError(f"the datatype {unknown[0]!r} is not of the protocol")
    return tuple(
        TensorSpec(
            name=tensor.name,
            datatype=tensor.datatype,
            shape=tuple(
                size if size >= 0 else ("batch" if place == 0 else f"dim{place}")
                for place, size in enumerate(tensor.shape)
            ),
        )
        for tensor in tensors
    )


def encode_index_request() -> bytes:
    """A `RepositoryIndexRequest` for all models."""
    return bytes(message_class("RepositoryIndexRequest")().SerializeToString())


def decode_index(message: bytes) -> list[str]:
    """Names of the models in a `RepositoryIndexResponse` that can be asked, sorted.

    Raises:
        WireError: it is none.
    """
    models = parse_message("RepositoryIndexResponse", message).models
    return sorted({str(model.name) for model in models if may_be_asked(model.state)})
