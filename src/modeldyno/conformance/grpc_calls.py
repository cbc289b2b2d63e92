"""The gRPC form of the protocol."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeldyno.bfloat16 import as_numbers
from modeldyno.conformance.answer import InferAnswer, Output, demand, difference, is_same
from modeldyno.conformance.endings import BrokenRuleError, NotOfferedError, SkippedError
from modeldyno.conformance.rule import Check, Rule
from modeldyno.conformance.sources import OPEN_QUESTION, grpc
from modeldyno.conformance.subject import UNKNOWN, UNKNOWN_VERSION, Subject
from modeldyno.records.conformance import Severity
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.records.signature import WITHOUT_JSON
from modeldyno.wire.errors import WireError
from modeldyno.wire.v2_grpc import encode_infer_request, infer_outputs
from modeldyno.wire.v2_messages import message_class

_TYPED = {
    "BOOL": "bool_contents", "BYTES": "bytes_contents", "FP32": "fp32_contents", "FP64": "fp64_contents",
    "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
}  # fmt: skip


def _live(subject: Subject) -> None:
    demand(subject.grpc.demand("ServerLive").live, "live = true", "live = false")


def _ready(subject: Subject) -> None:
    demand(subject.grpc.demand("ServerReady").ready, "ready = true", "ready = false")


def _model_ready(subject: Subject) -> None:
    request = message_class("ModelReadyRequest")(name=subject.model)
    demand(subject.grpc.demand("ModelReady", request).ready, "ready = true", "ready = false")


def _unknown_not_ready(subject: Subject) -> None:
    wire = subject.grpc
    status, answer = wire.call("ModelReady", message_class("ModelReadyRequest")(name=UNKNOWN))
    demand(answer is None or not answer.ready, "an error, or ready = false", f"{status} and ready = true")
    demand(status.code != GrpcStatus.UNIMPLEMENTED, "an answer about the model", str(status))


def _server_metadata(subject: Subject) -> None:
    answer = subject.grpc.demand("ServerMetadata")
    demand(bool(answer.name), "a name", "none")
    demand(bool(answer.version), "a version", "none")


def _metadata(subject: Subject) -> Any:
    return subject.grpc.demand("ModelMetadata", message_class("ModelMetadataRequest")(name=subject.model))


def _model_metadata(subject: Subject) -> None:
    answer = _metadata(subject)
    demand(answer.name == subject.model, f'the name "{subject.model}"', f"it is {answer.name!r}")
    demand(bool(answer.inputs) and bool(answer.outputs), "inputs and outputs", "some are missing")


def _metadata_agree(subject: Subject) -> None:
    _ = subject.http
    answer = _metadata(subject)
    for member, specs in (("inputs", subject.signature.inputs), ("outputs", subject.signature.outputs)):
        there = [(one.name, one.datatype, list(one.shape)) for one in getattr(answer, member)]
        here = [(spec.name, spec.datatype, spec.wire_shape) for spec in specs]
        demand(there == here, f"the {member} of the HTTP form, {here}", f"{there}")


def _unknown_metadata(subject: Subject) -> None:
    status, _ = subject.grpc.call("ModelMetadata", message_class("ModelMetadataRequest")(name=UNKNOWN))
    _demand_refused(status.code, str(status))


def _demand_refused(code: int, shown: str) -> None:
    demand(code != GrpcStatus.OK, "an error status", shown)
    lost = (GrpcStatus.UNAVAILABLE, GrpcStatus.DEADLINE_EXCEEDED, GrpcStatus.UNIMPLEMENTED)
    demand(code not in lost, "a refusal of the request", shown)


def raw_request(subject: Subject, *, request_id: str = "") -> Any:
    """A plain request with raw contents, which the caller may change."""
    content = encode_infer_request(subject.inputs, subject.signature, subject.model, request_id=request_id)
    return message_class("ModelInferRequest").FromString(content)


def _typed_request(subject: Subject) -> Any:
    request = message_class("ModelInferRequest")(model_name=subject.model)
    for spec in subject.signature.inputs:
        field = _TYPED.get(spec.datatype)
        if field is None:
            raise NotOfferedError(f"input {spec.name!r} is {spec.datatype}, which can only be sent raw")
        array = subject.inputs[spec.name]
        entry = request.inputs.add(name=spec.name, datatype=spec.datatype, shape=array.shape)
        getattr(entry.contents, field).extend(_plain_values(array))
    return request


def _plain_values(array: NDArray[np.generic]) -> list[Any]:
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


def _infer(subject: Subject, request: Any) -> InferAnswer:
    return read_outputs(subject.grpc.demand("ModelInfer", request))


def _plain(subject: Subject) -> InferAnswer:
    try:
        return _infer(subject, raw_request(subject))
    except BrokenRuleError as problem:
        raise SkippedError(f"a plain call already fails ({problem.got}): see grpc.infer.raw-contents") from problem


def _raw(subject: Subject) -> None:
    answer = _infer(subject, raw_request(subject))
    expected = sorted(spec.name for spec in subject.signature.outputs)
    demand(sorted(answer.names) == expected, f"the outputs {expected}", f"they are {answer.names}")


def _repeatable(subject: Subject) -> InferAnswer:
    plain = _plain(subject)
    found = difference(plain, _plain(subject))
    if found:
        raise NotOfferedError(f"the model answers the same request differently each time: {found}")
    return plain


def _typed(subject: Subject) -> None:
    wire = subject.grpc
    plain = _repeatable(subject)
    found = difference(plain, read_outputs(wire.demand("ModelInfer", _typed_request(subject))))
    demand(not found, "the answer to the same tensors sent raw", found)


def _one_form(subject: Subject) -> None:
    """Outputs all raw or all typed."""
    answer = subject.grpc.demand("ModelInfer", raw_request(subject))
    if answer.raw_output_contents:
        typed = [one.name for one in answer.outputs if one.HasField("contents") and one.contents.ByteSize()]
        demand(not typed, "raw_output_contents or contents, not both", f"contents of {typed} beside raw ones")
    read_outputs(answer)


def _agrees(subject: Subject) -> None:
    _ = subject.grpc
    _ = subject.http
    found = difference(subject.repeatable if subject.has_json else subject.binary, _repeatable(subject))
    demand(not found, "the answer of the HTTP form", found)


def _named(subject: Subject) -> None:
    answer = subject.grpc.demand("ModelInfer", raw_request(subject))
    demand(answer.model_name == subject.model, f'model_name "{subject.model}"', f"it is {answer.model_name!r}")


def _id(subject: Subject) -> None:
    _ = _plain(subject)
    got = subject.grpc.demand("ModelInfer", raw_request(subject, request_id="request-42")).id
    demand(got == "request-42", "the id 'request-42'", f"the id {got!r}")


def _any_id(subject: Subject) -> None:
    _ = _plain(subject)
    for text in ('quoted "id" \\', "ünïcödé 漢字 😀", "two\nlines"):
        got = subject.grpc.demand("ModelInfer", raw_request(subject, request_id=text)).id
        demand(got == text, f"the id {text!r}", f"the id {got!r}")


def _selected(subject: Subject) -> None:
    names = [spec.name for spec in subject.signature.outputs]
    if len(names) < 2:
        raise NotOfferedError("the model has one output only")
    plain = _plain(subject)
    request = raw_request(subject)
    request.outputs.add(name=names[-1])
    answer = _infer(subject, request)
    demand(answer.names == names[-1:], f"the output {names[-1]!r} only", f"the outputs {answer.names}")
    wanted = next(one for one in plain.outputs if one.name == names[-1])
    demand(is_same(wanted.values, answer.outputs[0].values), "its values as without a selection", "other values")


def _of_a_version(subject: Subject) -> None:
    _ = subject.grpc
    request = raw_request(subject)
    request.model_version = subject.version
    _ = _plain(subject)
    got = subject.grpc.demand("ModelInfer", request).model_version
    demand(got == subject.version, f"an answer of version {subject.version!r}", f"it is of {got!r}")


def _parameters(subject: Subject) -> None:
    _ = _plain(subject)
    request = raw_request(subject)
    for place in (request, request.inputs[0]):
        place.parameters["modeldyno_text"].string_param = "a"
        place.parameters["modeldyno_whole"].int64_param = 7
        place.parameters["modeldyno_truth"].bool_param = True
    _infer(subject, request)


def _refused(change: Any) -> Check:
    """A check that a plain request is refused after a change."""

    def check(subject: Subject) -> None:
        _ = _plain(subject)
        request = raw_request(subject)
        change(subject, request)
        status, _answer = subject.grpc.call("ModelInfer", request)
        _demand_refused(status.code, str(status))

    return check


def _to_unknown_model(_: Subject, request: Any) -> None:
    request.model_name = UNKNOWN


def _to_unknown_version(_: Subject, request: Any) -> None:
    request.model_version = UNKNOWN_VERSION


def _unknown_input(_: Subject, request: Any) -> None:
    request.inputs[0].name = UNKNOWN


def _unknown_output(_: Subject, request: Any) -> None:
    request.outputs.add(name=UNKNOWN)


def _wrong_datatype(_: Subject, request: Any) -> None:
    entry = request.inputs[0]
    # Of the same size, so that only the name tells.
    entry.datatype = {"FP32": "INT32", "FP64": "INT64", "INT32": "FP32", "INT64": "FP64"}.get(entry.datatype, "FP33")


def _wrong_rank(_: Subject, request: Any) -> None:
    request.inputs[0].shape.extend([1, 1])


def _short_raw(_: Subject, request: Any) -> None:
    request.raw_input_contents[0] = request.raw_input_contents[0][:-1]


def _missing_raw(_: Subject, request: Any) -> None:
    del request.raw_input_contents[-1]
    if not request.raw_input_contents:
        request.raw_input_contents.extend([b"", b""])


def _both_contents(subject: Subject, request: Any) -> None:
    typed = _typed_request(subject)
    for entry, given in zip(request.inputs, typed.inputs, strict=True):
        entry.contents.CopyFrom(given.contents)


def _typed_halves(subject: Subject, request: Any) -> None:
    subject.find_input(*WITHOUT_JSON)
    del request.raw_input_contents[:]
    for entry, spec in zip(request.inputs, subject.signature.inputs, strict=True):
        field = _TYPED.get(spec.datatype, "fp32_contents")
        getattr(entry.contents, field).extend(_plain_values(as_numbers(subject.inputs[spec.name])))


def _no_inputs(_: Subject, request: Any) -> None:
    del request.inputs[:]
    del request.raw_input_contents[:]


def _codes(subject: Subject) -> None:
    _ = _plain(subject)
    expectations = (
        (_to_unknown_model, GrpcStatus.NOT_FOUND),
        (_wrong_rank, GrpcStatus.INVALID_ARGUMENT),
        (_short_raw, GrpcStatus.INVALID_ARGUMENT),
    )
    for change, code in expectations:
        request = raw_request(subject)
        change(subject, request)
        status, _answer = subject.grpc.call("ModelInfer", request)
        demand(status.code == code, f"the status {code.name}", str(status))


def _survives(subject: Subject) -> None:
    plain = _plain(subject)
    for change in (_to_unknown_model, _wrong_rank, _short_raw, _missing_raw):
        request = raw_request(subject)
        change(subject, request)
        subject.grpc.call("ModelInfer", request)
    answer = _infer(subject, raw_request(subject))
    demand(sorted(answer.names) == sorted(plain.names), f"the outputs {plain.names} as before", f"{answer.names}")


def _index(subject: Subject) -> None:
    status, answer = subject.grpc.call("RepositoryIndex")
    if answer is None and "model_repository" not in subject.extensions:
        raise NotOfferedError(f"the server does not list model_repository, and answers {status}")
    demand(answer is not None, "the status OK", str(status))
    names = [one.name for one in answer.models]
    demand(subject.model in names, f"the model {subject.model!r} in the index", f"{names}")


def _refusal(
    name: str, what: str, change: Any, *, severity: Severity = "required", source: str = grpc("Inference"),
    advice: str = "",
) -> Rule:  # fmt: skip
    return Rule(
        name=name,
        says=f"{what} is refused with an error status",
        source=source,
        severity=severity,
        check=_refused(change),
        transport="grpc",
        advice=advice,
    )


RULES = (
    Rule(
        name="grpc.server-live",
        says="ServerLive answers live = true",
        source=grpc("Server Live"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_live,
    ),
    Rule(
        name="grpc.server-ready",
        says="ServerReady answers ready = true while all models are ready",
        source=grpc("Server Ready"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_ready,
    ),
    Rule(
        name="grpc.server-metadata",
        says="ServerMetadata answers with name and version",
        source=grpc("Server Metadata"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_server_metadata,
    ),
    Rule(
        name="grpc.model-ready",
        says="ModelReady answers ready = true for a model that is served",
        source=grpc("Model Ready"),
        severity="required",
        transport="grpc",
        check=_model_ready,
    ),
    Rule(
        name="grpc.unknown-model-is-not-ready",
        says="ModelReady answers an error or ready = false for a model that is not there",
        source=grpc("Model Ready"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_unknown_not_ready,
    ),
    Rule(
        name="grpc.model-metadata",
        says="ModelMetadata answers with the name, the inputs and the outputs of the model",
        source=grpc("Model Metadata"),
        severity="required",
        transport="grpc",
        check=_model_metadata,
    ),
    Rule(
        name="grpc.metadata-agree-with-http",
        says="the metadata are those of the HTTP form",
        source=grpc("Model Metadata"),
        severity="required",
        transport="grpc",
        check=_metadata_agree,
    ),
    Rule(
        name="grpc.metadata-of-an-unknown-model-are-refused",
        says="ModelMetadata answers an error for a model that is not there",
        source=grpc("Model Metadata"),
        severity="required",
        scope="server",
        transport="grpc",
        check=_unknown_metadata,
    ),
    Rule(
        name="grpc.infer.raw-contents",
        says="a request with raw_input_contents is answered with all outputs",
        source=grpc("Inference"),
        severity="required",
        transport="grpc",
        check=_raw,
    ),
    Rule(
        name="grpc.infer.typed-contents-mean-the-same",
        says="the same tensors as typed contents get the same answer",
        source=grpc("Tensor Data"),
        severity="required",
        transport="grpc",
        check=_typed,
    ),
    Rule(
        name="grpc.infer.outputs-are-raw-or-typed",
        says="an answer has raw_output_contents for all outputs, or typed contents, and they fill their shapes",
        source=grpc("Inference"),
        severity="required",
        transport="grpc",
        check=_one_form,
    ),
    Rule(
        name="grpc.infer.agrees-with-http",
        says="the same tensors get the same answer by gRPC and by HTTP",
        source=grpc("gRPC (it follows the HTTP form)"),
        severity="required",
        transport="grpc",
        check=_agrees,
    ),
    Rule(
        name="grpc.infer.names-the-model",
        says="the answer has the model's name",
        source=grpc("Inference"),
        severity="required",
        transport="grpc",
        check=_named,
    ),
    Rule(
        name="grpc.infer.id-is-echoed",
        says="the id of the request comes back",
        source=grpc("Inference"),
        severity="required",
        transport="grpc",
        check=_id,
    ),
    Rule(
        name="grpc.infer.id-of-any-text-is-echoed",
        says="an id of any characters comes back: quotes, letters beyond ASCII, two lines",
        source=grpc("Inference"),
        severity="required",
        transport="grpc",
        check=_any_id,
        advice="do not put the id into the metadata of the call as it is: values there are printable ASCII",
    ),
    Rule(
        name="grpc.infer.selected-outputs-only",
        says="the outputs that are asked for are returned, and no others",
        source=grpc("Inference"),
        severity="required",
        transport="grpc",
        check=_selected,
    ),
    Rule(
        name="grpc.infer.of-a-version",
        says="a listed version can be asked, and the answer is of that version",
        source=grpc("Inference"),
        severity="required",
        transport="grpc",
        check=_of_a_version,
    ),
    Rule(
        name="grpc.infer.parameters-are-tolerated",
        says="unknown parameters of the request and of an input are tolerated",
        source=grpc("Parameters"),
        severity="required",
        transport="grpc",
        check=_parameters,
    ),
    _refusal("grpc.errors.unknown-model-is-refused", "a model that is not there", _to_unknown_model),
    _refusal("grpc.errors.unknown-version-is-refused", "a version that is not there", _to_unknown_version),
    _refusal("grpc.errors.unknown-input-is-refused", "an input that the model does not have", _unknown_input),
    _refusal("grpc.errors.unknown-output-is-refused", "an output that the model does not have", _unknown_output),
    _refusal("grpc.errors.wrong-datatype-is-refused", "another datatype than the metadata's", _wrong_datatype,
             advice="raw bytes of another datatype are read as other numbers"),
    _refusal("grpc.errors.wrong-rank-is-refused", "a shape with more dimensions than the metadata's", _wrong_rank),
    _refusal("grpc.errors.short-raw-contents-are-refused", "a tensor that is a byte short of its shape", _short_raw),
    _refusal("grpc.errors.wrong-number-of-raw-contents-is-refused", "another number of raw contents than of inputs",
             _missing_raw),
    _refusal("grpc.errors.raw-beside-typed-contents-is-refused", "a request with both raw and typed contents",
             _both_contents, advice="the two may differ, and the specification forbids both"),
    _refusal("grpc.errors.halves-as-typed-contents-are-refused", "FP16 or BF16 in any of the typed contents",
             _typed_halves, source="specification/protocol/open_inference_grpc.proto, InferTensorContents",
             advice="neither has typed contents: what arrives has been rounded already, or never was"),
    _refusal("grpc.errors.request-without-inputs-is-refused", "a request without inputs", _no_inputs),
    Rule(
        name="grpc.errors.codes-tell-the-kind",
        says="an unknown model is NOT_FOUND, a request that does not fit is INVALID_ARGUMENT",
        source=f"{OPEN_QUESTION.split(';', maxsplit=1)[0]}; what Triton does (src/grpc/grpc_utils.cc)",
        severity="recommended",
        transport="grpc",
        check=_codes,
        advice="clients retry INTERNAL, UNKNOWN and UNAVAILABLE, which cannot help here",
    ),
    Rule(
        name="grpc.errors.leave-the-server-as-it-was",
        says="after bad calls a plain one is answered as before",
        source=grpc("Inference"),
        severity="required",
        transport="grpc",
        check=_survives,
    ),
    Rule(
        name="grpc.extensions.repository-lists-the-model",
        says="RepositoryIndex lists every model by its name",
        source="Triton, docs/protocol/extension_model_repository.md",
        severity="extension",
        transport="grpc",
        check=_index,
    ),
)  # fmt: skip
