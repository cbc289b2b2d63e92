"""How the outputs of an answer are found, in the protocols whose answers have outputs."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from modeldyno.loadgen.readers.expected import DecodeOutputs
from modeldyno.loadgen.wiring import ReaderName
from modeldyno.wire.http1_response import HttpResponse
from modeldyno.wire.tf_serving import decode_answer
from modeldyno.wire.v2_client import decode_infer_response, header_length


def decode_v2(response: HttpResponse) -> dict[str, NDArray[Any]]:
    """See `DecodeOutputs`: the Open Inference Protocol over HTTP."""
    return decode_infer_response(response.body, header_length(response.headers))


def decode_tf_serving(response: HttpResponse) -> dict[str, NDArray[Any]]:
    """See `DecodeOutputs`: TensorFlow Serving by REST."""
    return decode_answer(response.body)


def decode_v2_grpc(response: HttpResponse) -> dict[str, NDArray[Any]]:
    """See `DecodeOutputs`: the Open Inference Protocol over gRPC."""
    from modeldyno.wire.v2_grpc import infer_outputs, parse_infer_response  # protobuf takes 30 ms

    return infer_outputs(parse_infer_response(response.body))


DECODERS: Mapping[ReaderName, DecodeOutputs] = {
    "v2": decode_v2,
    "v2-grpc": decode_v2_grpc,
    "tf-serving": decode_tf_serving,
}
