"""Inference with binary tensors, an extension that nearly all clients use by default."""

import struct
from typing import Any

from modeldyno.conformance.answer import (
    HEADER_LENGTH,
    InferAnswer,
    demand,
    demand_refusal,
    difference,
    read_infer,
)
from modeldyno.conformance.endings import NotOfferedError
from modeldyno.conformance.question import row_of, to_bytes
from modeldyno.conformance.refusing import refusal
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import triton
from modeldyno.conformance.subject import Subject
from modeldyno.wire.v2_tensors import encode_binary

_SOURCE = triton("extension_binary_data")
_ALL_BINARY = {"binary_data_output": True}
_HUGE = 1 << 62


def _answers(subject: Subject) -> None:
    if "binary_tensor_data" not in subject.extensions:
        _ = subject.binary
    read_infer(subject.ask_binary(*subject.binary_question()))


def _is_listed(subject: Subject) -> None:
    _ = subject.binary
    demand("binary_tensor_data" in subject.extensions, "binary_tensor_data among the extensions of GET v2")


def _demand_same(subject: Subject, answer: InferAnswer, what: str) -> None:
    found = difference(subject.repeatable, answer)
    demand(not found, f"the answer of the plain JSON request: {what}", found)


def _agrees(subject: Subject) -> None:
    _demand_same(subject, subject.binary, "binary inputs mean what JSON data mean")


def _is_binary(answer: InferAnswer, *names: str) -> None:
    for output in answer.outputs:
        wanted = output.name in names
        form, other = ("binary", "JSON") if wanted else ("JSON", "binary")
        demand(output.is_binary == wanted, f"output {output.name!r} in {form}", f"it is in {other}")


def _ask_outputs(subject: Subject, parameters: dict[str, Any], flags: dict[str, bool] | None) -> InferAnswer:
    """Binary inputs, with flags for the request as a whole and for outputs."""
    _ = subject.binary
    document, contents = subject.binary_question()
    if parameters:
        document["parameters"] = parameters
    if flags is not None:
        document["outputs"] = [{"name": name, "parameters": {"binary_data": flag}} for name, flag in flags.items()]
    return read_infer(subject.ask_binary(document, contents))


def _names(subject: Subject) -> list[str]:
    return [spec.name for spec in subject.signature.outputs]


def _by_request(subject: Subject) -> None:
    answer = _ask_outputs(subject, _ALL_BINARY, None)
    _is_binary(answer, *answer.names)
    found = difference(subject.binary, answer)
    demand(not found, "binary outputs with the values of JSON outputs", found)


def _by_output(subject: Subject) -> None:
    name = _names(subject)[-1]
    answer = _ask_outputs(subject, {}, {name: True})
    demand(name in answer.names, f"the output {name!r}", f"the outputs {answer.names}")
    _is_binary(answer._replace(outputs=tuple(one for one in answer.outputs if one.name == name)), name)


def _output_flag_wins(subject: Subject) -> None:
    subject.need_json()
    names = _names(subject)
    _is_binary(_ask_outputs(subject, _ALL_BINARY, dict.fromkeys(names, False)))
    _is_binary(_ask_outputs(subject, {"binary_data_output": False}, dict.fromkeys(names, True)), *names)


def _json_by_default(subject: Subject) -> None:
    subject.need_json()
    _is_binary(subject.binary)


def _json_inputs(subject: Subject) -> None:
    _ = subject.binary
    answer = read_infer(subject.ask({**subject.question(), "parameters": _ALL_BINARY}))
    _is_binary(answer, *answer.names)
    _demand_same(subject, answer, "the form of the inputs and that of the outputs are independent")


def _mixed_inputs(subject: Subject) -> None:
    if len(subject.signature.inputs) < 2:
        raise NotOfferedError("the model has one input only")
    _ = subject.binary
    document, contents = subject.binary_question()
    document["inputs"][0] = subject.question()["inputs"][0]
    answer = read_infer(subject.ask_binary(document, contents[1:]))
    _demand_same(subject, answer, "inputs may come in different forms")


def _headers(subject: Subject) -> None:
    _ = _ask_outputs(subject, _ALL_BINARY, None)
    document, contents = subject.binary_question()
    reply = subject.ask_binary({**document, "parameters": _ALL_BINARY}, contents)
    read_infer(reply)
    demand(HEADER_LENGTH.lower() in reply.headers, f"the header {HEADER_LENGTH}")
    kind = reply.headers.get("content-type", "")
    demand(kind.startswith("application/octet-stream"), "the Content-Type application/octet-stream", f"it is {kind!r}")


def _unaligned(subject: Subject) -> None:
    _ = subject.binary
    document, contents = subject.binary_question()
    for padding in (1, 2, 3, 5):
        answer = read_infer(subject.ask_binary(document, contents, padding=padding))
        _demand_same(subject, answer, "tensors may begin at any byte, after blanks that end the JSON")


def _no_rows(subject: Subject) -> None:
    subject.need_batch()
    _ = subject.binary
    document, contents = subject.binary_question()
    for entry in document["inputs"]:
        entry["shape"][0] = 0
        entry["parameters"]["binary_data_size"] = 0
    reply = subject.ask_binary(document, [b"" for _ in contents])
    if reply.status != 200:
        demand_refusal(reply)
        return
    for output in read_infer(reply).outputs:
        demand(output.shape[:1] == (0,), f"no rows in output {output.name!r}", f"its shape is {list(output.shape)}")


def _raw(subject: Subject) -> None:
    signature = subject.signature
    inputs = signature.inputs
    open_sizes = [size for size in inputs[0].shape[1:] if isinstance(size, str)]
    if len(inputs) != 1 or not subject.is_batched or len(open_sizes) > 1 or inputs[0].datatype == "BYTES":
        raise NotOfferedError("raw requests are for models with one input of numbers in batches")
    _ = subject.binary
    plain = subject.repeatable
    row = row_of(subject.inputs, 0)
    body = encode_binary(row[inputs[0].name], inputs[0].datatype)
    headers = {HEADER_LENGTH: "0", "Content-Type": "application/octet-stream"}
    reply = subject.http.send("POST", f"{subject.path}/infer", body, headers)
    if 400 <= reply.status < 500:
        demand_refusal(reply)
        raise NotOfferedError("the server refuses raw requests, which came late to the extension")
    answer = read_infer(reply)
    for output, whole in zip(answer.outputs, plain.outputs, strict=False):
        first = whole.values.reshape(whole.shape)[:1].ravel()
        found = difference(
            InferAnswer({}, (whole._replace(values=first, shape=(1, *whole.shape[1:])),)), InferAnswer({}, (output,))
        )
        demand(not found, "the answer of the same row in JSON", found)


def _shrunk(subject: Subject) -> tuple[dict[str, Any], list[bytes]]:
    """A request whose first tensor is one byte short of what its shape needs."""
    document, contents = subject.binary_question()
    contents[0] = contents[0][:-1]
    document["inputs"][0]["parameters"]["binary_data_size"] -= 1
    return document, contents


def _size_mismatch(subject: Subject) -> None:
    _ = subject.binary
    demand_refusal(subject.ask_binary(*_shrunk(subject)))


def _truncated(subject: Subject) -> None:
    _ = subject.binary
    document, contents = subject.binary_question()
    demand_refusal(subject.ask_binary(document, [*contents[:-1], contents[-1][:-1]]))


def _leftover(subject: Subject) -> None:
    _ = subject.binary
    document, contents = subject.binary_question()
    demand_refusal(subject.ask_binary(document, [*contents, b"\x01\x02\x03\x04"]))


def _with_header(subject: Subject, change: int | str) -> None:
    _ = subject.binary
    document, contents = subject.binary_question()
    length = len(to_bytes(document))
    header = change if isinstance(change, str) else str(length + change)
    demand_refusal(subject.ask_binary(document, contents, header_length=header))


def _header_beyond_body(subject: Subject) -> None:
    _with_header(subject, 1_000_000)


def _header_no_number(subject: Subject) -> None:
    _with_header(subject, "many")


def _header_negative(subject: Subject) -> None:
    _with_header(subject, "-1")


def _header_too_short(subject: Subject) -> None:
    _with_header(subject, -3)


def _huge_size(subject: Subject) -> None:
    _ = subject.binary
    document, contents = subject.binary_question()
    document["inputs"][0]["parameters"]["binary_data_size"] = _HUGE
    demand_refusal(subject.ask_binary(document, contents))


def _negative_size(subject: Subject) -> None:
    _ = subject.binary
    document, contents = subject.binary_question()
    document["inputs"][0]["parameters"]["binary_data_size"] = -4
    demand_refusal(subject.ask_binary(document, contents))


def _size_no_number(subject: Subject) -> None:
    _ = subject.binary
    document, contents = subject.binary_question()
    document["inputs"][0]["parameters"]["binary_data_size"] = "all"
    demand_refusal(subject.ask_binary(document, contents))


def _data_and_size(subject: Subject) -> None:
    _ = subject.binary
    document, contents = subject.binary_question()
    document["inputs"][0]["data"] = subject.question()["inputs"][0]["data"]
    demand_refusal(subject.ask_binary(document, contents))


def _element_overrun(subject: Subject) -> None:
    place, _ = subject.find_input("BYTES")
    _ = subject.binary
    document, contents = subject.binary_question()
    content = contents[place]
    contents[place] = struct.pack("<I", len(content) * 2) + content[4:]
    demand_refusal(subject.ask_binary(document, contents))


RULES = (
    Rule(
        name="infer.binary.answers",
        says="a request with binary inputs is answered",
        source=_SOURCE,
        severity="extension",
        check=_answers,
        advice="take binary_tensor_data off the list of extensions, or read Inference-Header-Content-Length",
    ),
    Rule(
        name="infer.binary.is-listed",
        says="a server that understands binary tensors lists binary_tensor_data among its extensions",
        source=_SOURCE,
        severity="extension",
        check=_is_listed,
        advice="clients that look at the list send JSON, which costs many times as much",
    ),
    Rule(
        name="infer.binary.agrees-with-json",
        says="binary inputs mean what the same JSON data mean",
        source=_SOURCE,
        severity="extension",
        check=_agrees,
        advice="look at byte order, row-major order and the order of the tensors behind the JSON",
    ),
    Rule(
        name="infer.binary.request-flag-makes-all-outputs-binary",
        says="binary_data_output of the request makes every output binary, with the same values",
        source=_SOURCE,
        severity="extension",
        check=_by_request,
    ),
    Rule(
        name="infer.binary.output-flag-makes-one-output-binary",
        says="binary_data of an output makes it binary",
        source=_SOURCE,
        severity="extension",
        check=_by_output,
    ),
    Rule(
        name="infer.binary.output-flag-wins",
        says="binary_data of an output goes before binary_data_output of the request",
        source=_SOURCE,
        severity="extension",
        check=_output_flag_wins,
    ),
    Rule(
        name="infer.binary.json-is-the-default",
        says="without a flag outputs are JSON, also for binary inputs",
        source=_SOURCE,
        severity="extension",
        check=_json_by_default,
    ),
    Rule(
        name="infer.binary.outputs-for-json-inputs",
        says="outputs may be binary where inputs are JSON",
        source=_SOURCE,
        severity="extension",
        check=_json_inputs,
    ),
    Rule(
        name="infer.binary.inputs-may-be-mixed",
        says="one input may be JSON and another binary",
        source=_SOURCE,
        severity="extension",
        check=_mixed_inputs,
        advice="only inputs with binary_data_size have bytes behind the JSON",
    ),
    Rule(
        name="infer.binary.answer-says-where-tensors-begin",
        says=f"a binary answer has {HEADER_LENGTH} and the Content-Type application/octet-stream",
        source=_SOURCE,
        severity="extension",
        check=_headers,
    ),
    Rule(
        name="infer.binary.tensors-begin-anywhere",
        says="tensors need not be aligned in the body",
        source=f"{_SOURCE} (no padding between elements)",
        severity="extension",
        check=_unaligned,
    ),
    Rule(
        name="infer.binary.no-rows-are-answered-or-refused",
        says="0 rows in 0 bytes get outputs with 0 rows, or an error 4xx",
        source=_SOURCE,
        severity="extension",
        check=_no_rows,
    ),
    Rule(
        name="infer.binary.raw-request-agrees-with-json",
        says=f"a body of one row's bytes alone, with {HEADER_LENGTH}: 0, means what the row in JSON means",
        source=f"{_SOURCE}, Raw Binary Request",
        severity="extension",
        check=_raw,
    ),
    refusal("infer.binary.size-mismatch-is-refused", "a tensor that is a byte short of its shape", _SOURCE,
            _size_mismatch, severity="extension",
            advice="compare binary_data_size with the product of the shape and the datatype's size"),
    refusal("infer.binary.truncated-tensor-is-refused", "a body that ends before its last tensor does", _SOURCE,
            _truncated, severity="extension"),
    refusal("infer.binary.leftover-bytes-are-refused", "a body with bytes behind its last tensor", _SOURCE,
            _leftover, severity="extension",
            advice="bytes that nobody reads mean that client and server disagree about the tensors"),
    refusal("infer.binary.header-beyond-the-body-is-refused", f"a {HEADER_LENGTH} beyond the body", _SOURCE,
            _header_beyond_body, severity="extension"),
    refusal("infer.binary.header-that-is-no-number-is-refused", f"a {HEADER_LENGTH} that is no number", _SOURCE,
            _header_no_number, severity="extension"),
    refusal("infer.binary.negative-header-is-refused", f"a {HEADER_LENGTH} below 0", _SOURCE,
            _header_negative, severity="extension"),
    refusal("infer.binary.header-within-the-json-is-refused", f"a {HEADER_LENGTH} that cuts the JSON", _SOURCE,
            _header_too_short, severity="extension"),
    refusal("infer.binary.huge-size-is-refused", "a binary_data_size of 2^62", _SOURCE, _huge_size,
            severity="extension"),
    refusal("infer.binary.negative-size-is-refused", "a binary_data_size below 0", _SOURCE, _negative_size,
            severity="extension"),
    refusal("infer.binary.size-that-is-no-number-is-refused", "a binary_data_size that is a text", _SOURCE,
            _size_no_number, severity="extension"),
    refusal("infer.binary.data-beside-binary-is-refused", "an input with both data and binary_data_size", _SOURCE,
            _data_and_size, severity="extension"),
    refusal("infer.binary.element-overrun-is-refused", "a BYTES element that is longer than its tensor", _SOURCE,
            _element_overrun, severity="extension", advice="check every length before reading: it is the client's"),
)  # fmt: skip
