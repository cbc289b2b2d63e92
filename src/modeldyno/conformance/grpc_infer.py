"""Inference in the gRPC form of the protocol."""

from modeldyno.conformance.answer import InferAnswer, demand, difference, is_same
from modeldyno.conformance.endings import NotOfferedError
from modeldyno.conformance.grpc_calls import infer, plain_answer, raw_request, read_outputs, typed_request
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import grpc
from modeldyno.conformance.subject import Subject


def _raw(subject: Subject) -> None:
    answer = infer(subject, raw_request(subject))
    expected = sorted(spec.name for spec in subject.signature.outputs)
    demand(sorted(answer.names) == expected, f"the outputs {expected}", f"they are {answer.names}")


def _repeatable(subject: Subject) -> InferAnswer:
    plain = plain_answer(subject)
    found = difference(plain, plain_answer(subject))
    if found:
        raise NotOfferedError(f"the model answers the same request differently each time: {found}")
    return plain


def _typed(subject: Subject) -> None:
    wire = subject.grpc
    plain = _repeatable(subject)
    found = difference(plain, read_outputs(wire.demand("ModelInfer", typed_request(subject))))
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
    _ = plain_answer(subject)
    got = subject.grpc.demand("ModelInfer", raw_request(subject, request_id="request-42")).id
    demand(got == "request-42", "the id 'request-42'", f"the id {got!r}")


def _any_id(subject: Subject) -> None:
    _ = plain_answer(subject)
    for text in ('quoted "id" \\', "ünïcödé 漢字 😀", "two\nlines"):
        got = subject.grpc.demand("ModelInfer", raw_request(subject, request_id=text)).id
        demand(got == text, f"the id {text!r}", f"the id {got!r}")


def _selected(subject: Subject) -> None:
    names = [spec.name for spec in subject.signature.outputs]
    if len(names) < 2:
        raise NotOfferedError("the model has one output only")
    plain = plain_answer(subject)
    request = raw_request(subject)
    request.outputs.add(name=names[-1])
    answer = infer(subject, request)
    demand(answer.names == names[-1:], f"the output {names[-1]!r} only", f"the outputs {answer.names}")
    wanted = next(one for one in plain.outputs if one.name == names[-1])
    demand(is_same(wanted.values, answer.outputs[0].values), "its values as without a selection", "other values")


def _of_a_version(subject: Subject) -> None:
    _ = subject.grpc
    request = raw_request(subject)
    request.model_version = subject.version
    _ = plain_answer(subject)
    got = subject.grpc.demand("ModelInfer", request).model_version
    demand(got == subject.version, f"an answer of version {subject.version!r}", f"it is of {got!r}")


def _parameters(subject: Subject) -> None:
    _ = plain_answer(subject)
    request = raw_request(subject)
    for place in (request, request.inputs[0]):
        place.parameters["modeldyno_text"].string_param = "a"
        place.parameters["modeldyno_whole"].int64_param = 7
        place.parameters["modeldyno_truth"].bool_param = True
    infer(subject, request)


RULES = (
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
)
