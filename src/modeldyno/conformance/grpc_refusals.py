"""What the gRPC form of the protocol has to refuse, and how."""

from typing import Any

from modeldyno.bfloat16 import as_numbers
from modeldyno.conformance.answer import demand
from modeldyno.conformance.grpc_calls import (
    TYPED_FIELDS,
    demand_refused,
    infer,
    plain_answer,
    plain_values,
    raw_request,
    typed_request,
)
from modeldyno.conformance.rule import Check, Rule
from modeldyno.conformance.sources import OPEN_QUESTION, grpc
from modeldyno.conformance.subject import UNKNOWN, UNKNOWN_VERSION, Subject
from modeldyno.records.conformance import Severity
from modeldyno.records.grpc_status import GrpcStatus
from modeldyno.records.signature import WITHOUT_JSON


def _refused(change: Any) -> Check:
    """A check that a plain request is refused after a change."""

    def check(subject: Subject) -> None:
        _ = plain_answer(subject)
        request = raw_request(subject)
        change(subject, request)
        status, _answer = subject.grpc.call("ModelInfer", request)
        demand_refused(status.code, str(status))

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
    typed = typed_request(subject)
    for entry, given in zip(request.inputs, typed.inputs, strict=True):
        entry.contents.CopyFrom(given.contents)


def _typed_halves(subject: Subject, request: Any) -> None:
    subject.find_input(*WITHOUT_JSON)
    del request.raw_input_contents[:]
    for entry, spec in zip(request.inputs, subject.signature.inputs, strict=True):
        field = TYPED_FIELDS.get(spec.datatype, "fp32_contents")
        getattr(entry.contents, field).extend(plain_values(as_numbers(subject.inputs[spec.name])))


def _no_inputs(_: Subject, request: Any) -> None:
    del request.inputs[:]
    del request.raw_input_contents[:]


def _codes(subject: Subject) -> None:
    _ = plain_answer(subject)
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
    plain = plain_answer(subject)
    for change in (_to_unknown_model, _wrong_rank, _short_raw, _missing_raw):
        request = raw_request(subject)
        change(subject, request)
        subject.grpc.call("ModelInfer", request)
    answer = infer(subject, raw_request(subject))
    demand(sorted(answer.names) == sorted(plain.names), f"the outputs {plain.names} as before", f"{answer.names}")


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
)  # fmt: skip
