"""Calls of `ModelInfer`: their messages, and what came back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.conformance.answer import InferAnswer, Output, demand
from modeldyno.conformance.endings import BrokenRuleError, NotOfferedError, SkippedError
from modeldyno.conformance.subject import Subject
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs
from modeldyno.wire.v2_messages import message_class

TYPED_FIELDS = {
    "BOOL": "bool_contents", "BYTES": "bytes_contents", "FP32": "fp32_contents", "FP64": "fp64_contents",
    "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
}  # fmt: skip


def demand_refused(code: int, shown: str) -> None:
    """An error status that says no, rather than one of a server that was lost.

    Raises:
        BrokenRuleError: it is none.
    """
    demand(code != GrpcStatus.OK, "an error status", shown)
    lost = (GrpcStatus.UNAVAILABLE, GrpcStatus.DEADLINE_EXCEEDED, GrpcStatus.UNIMPLEMENTED)
    demand(code not in lost, "a refusal of the request", shown)


def raw_request(subject: Subject, *, request_id: str = "") -> Any:
    """A plain request with raw contents, which the caller may change."""
    content = encode_infer_request(subject.inputs, subject.signature, subject.model, request_id=request_id)
    return message_class("ModelInferRequest").FromString(content)


def typed_request(subject: Subject) -> Any:
    """The same request with typed contents.

    Raises:
        NotOfferedError: an input has a datatype without typed contents.
    """
    request = message_class("ModelInferRequest")(model_name=subject.model)
    for spec in subject.signature.inputs:
        field = TYPED_FIELDS.get(spec.datatype)
        if field is None:
            raise NotOfferedError(f"input {spec.name!r} is {spec.datatype}, which can only be sent raw")
        array = subject.inputs[spec.name]
        entry = request.inputs.add(name=spec.name, datatype=spec.datatype, shape=array.shape)
        getattr(entry.contents, field).extend(plain_values(array))
    return request


def plain_values(array: NDArray[np.generic]) -> list[Any]:
    """All elements, for a field of typed contents."""
    values: list[Any] = array.ravel().tolist()
    return values


def read_outputs(answer: Any) -> InferAnswer:
    """The outputs of a ModelInferResponse.

    Raises:
        BrokenRuleError: they are not what the protocol says.
    """
    try:
        arrays = infer_outputs(answer)
    except WireError as problem:
        raise BrokenRuleError("outputs as their datatypes and shapes say", problem.message) from problem
    outputs = tuple(
        Output(one.name, one.datatype, tuple(one.shape), arrays[one.name].ravel(), is_binary=True)
        for one in answer.outputs
    )
    return InferAnswer({}, outputs)


def infer(subject: Subject, request: Any) -> InferAnswer:
    """What a request is answered with.

    Raises:
        BrokenRuleError: it is refused, or its outputs are not what the protocol says.
    """
    return read_outputs(subject.grpc.demand("ModelInfer", request))


def plain_answer(subject: Subject) -> InferAnswer:
    """What a plain request is answered with, for rules that build on it.

    Raises:
        SkippedError: it fails already.
    """
    try:
        return infer(subject, raw_request(subject))
    except BrokenRuleError as problem:
        raise SkippedError(f"a plain call already fails ({problem.got}): see grpc.infer.raw-contents") from problem
