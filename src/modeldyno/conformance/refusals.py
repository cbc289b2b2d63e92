"""Requests that break the protocol or do not fit the model: each must be refused, and hurt nothing."""

from collections.abc import Callable
from typing import Any

from modeldyno.conformance.answer import (
    demand,
    demand_error,
    demand_refusal,
    demand_status,
    difference,
    read_infer,
)
from modeldyno.conformance.endings import NotOfferedError
from modeldyno.conformance.http_wire import JSON, Reply
from modeldyno.conformance.question import Document
from modeldyno.conformance.refusing import refusal
from modeldyno.conformance.rule import Check, Rule
from modeldyno.conformance.sources import OPEN_QUESTION, rest
from modeldyno.conformance.subject import UNKNOWN, UNKNOWN_VERSION, Subject

_HUGE = 1 << 62
_DEEP = 20_000
_OTHER_DATATYPE = {"FP32": "INT64", "FP64": "INT64", "BOOL": "FP32", "BYTES": "FP32"}
_TRACES = ("Traceback (most recent call last)", 'File "/', "at java.", "goroutine ")


def _send_body(subject: Subject, body: bytes) -> Reply:
    return subject.http.send("POST", f"{subject.path}/infer", body, JSON)


def _changed(change: Callable[[Subject, Document], None]) -> Check:
    """A check that sends a plain request after a change to it."""

    def check(subject: Subject) -> None:
        _ = subject.plain
        question = subject.question()
        change(subject, question)
        demand_refusal(subject.ask(question))

    return check


def _of_body(body: bytes) -> Check:
    """A check that sends this body."""

    def check(subject: Subject) -> None:
        _ = subject.plain
        demand_refusal(_send_body(subject, body))

    return check


def _no_inputs(_: Subject, question: Document) -> None:
    del question["inputs"]


def _empty_inputs(_: Subject, question: Document) -> None:
    question["inputs"] = []


def _missing_input(subject: Subject, question: Document) -> None:
    if len(subject.signature.inputs) < 2:
        raise NotOfferedError("the model has one input only")
    question["inputs"].pop()


def _unknown_input(_: Subject, question: Document) -> None:
    question["inputs"][0]["name"] = UNKNOWN


def _further_input(_: Subject, question: Document) -> None:
    question["inputs"].append({**question["inputs"][0], "name": UNKNOWN})


def _repeated_input(_: Subject, question: Document) -> None:
    question["inputs"].append(question["inputs"][0])


def _unknown_output(_: Subject, question: Document) -> None:
    question["outputs"] = [{"name": UNKNOWN}]


def _wrong_datatype(_: Subject, question: Document) -> None:
    entry = question["inputs"][0]
    entry["datatype"] = _OTHER_DATATYPE.get(entry["datatype"], "FP32")


def _unknown_datatype(_: Subject, question: Document) -> None:
    question["inputs"][0]["datatype"] = "FP33"


def _wrong_rank(_: Subject, question: Document) -> None:
    entry = question["inputs"][0]
    entry["shape"] = [*entry["shape"], 1, 1]


def _wrong_dimension(subject: Subject, question: Document) -> None:
    for spec, entry in zip(subject.signature.inputs, question["inputs"], strict=True):
        for place, size in enumerate(spec.shape):
            if isinstance(size, int) and size > 0:
                count = len(entry["data"]) // entry["shape"][place]
                entry["shape"][place] += 1
                entry["data"] += entry["data"][:1] * count
                return
    raise NotOfferedError("every dimension of every input is open")


def _short_data(_: Subject, question: Document) -> None:
    question["inputs"][0]["data"].pop()


def _long_data(_: Subject, question: Document) -> None:
    data = question["inputs"][0]["data"]
    data.append(data[0])


def _negative_dimension(_: Subject, question: Document) -> None:
    entry = question["inputs"][0]
    entry["shape"] = [-size for size in entry["shape"][:1]] + entry["shape"][1:]
    if not entry["shape"]:
        raise NotOfferedError("the first input has no dimensions")


def _fraction_in_shape(_: Subject, question: Document) -> None:
    entry = question["inputs"][0]
    if not entry["shape"]:
        raise NotOfferedError("the first input has no dimensions")
    entry["shape"][0] += 0.5


def _huge_shape(_: Subject, question: Document) -> None:
    entry = question["inputs"][0]
    entry["shape"] = [_HUGE, *entry["shape"][1:]]


def _text_for_number(subject: Subject, question: Document) -> None:
    numbers = (name for name in ("FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32"))
    place, _ = subject.find_input(*numbers)
    question["inputs"][place]["data"][0] = "a word"


def _object_for_data(_: Subject, question: Document) -> None:
    question["inputs"][0]["data"] = {"0": 1}


def _ragged(subject: Subject) -> None:
    for place, spec in enumerate(subject.signature.inputs):
        question = subject.question(nested=True)
        entry = question["inputs"][place]
        if len(spec.shape) < 2 or len(entry["data"]) < 2 or not entry["data"][0]:
            continue
        _ = subject.plain
        # As many values as the shape takes, in rows of different lengths.
        entry["data"][1] = [*entry["data"][1], entry["data"][0].pop()]
        demand_refusal(subject.ask(question))
        return
    raise NotOfferedError("no input has two rows")


def _missing_members(subject: Subject) -> None:
    _ = subject.plain
    for member in ("name", "shape", "datatype", "data"):
        question = subject.question()
        del question["inputs"][0][member]
        demand_refusal(subject.ask(question))


def _id_no_text(_: Subject, question: Document) -> None:
    question["id"] = {"number": 7}


def _unknown_model(subject: Subject) -> Reply:
    _ = subject.plain
    return subject.ask(subject.question(), path=f"/v2/models/{UNKNOWN}")


def _refuses_unknown_model(subject: Subject) -> None:
    demand_refusal(_unknown_model(subject))


def _refuses_unknown_version(subject: Subject) -> None:
    _ = subject.plain
    reply = subject.ask(subject.question(), path=f"{subject.path}/versions/{UNKNOWN_VERSION}")
    # A server without versions may say so: 501 is Triton's word for what is not supported.
    demand(reply.status >= 400, 'an error status with {"error": "..."}', f"status {reply.status}")
    demand_error(reply)


def _unknown_is_404(subject: Subject) -> None:
    demand_status(_unknown_model(subject), 404)
    demand_status(subject.http.send("GET", f"/v2/models/{UNKNOWN}"), 404)


def _unknown_path(subject: Subject) -> None:
    reply = subject.http.send("GET", f"/v2/{UNKNOWN}")
    demand_status(reply, 404)
    demand_error(reply)


def _bad_is_400(subject: Subject) -> None:
    _ = subject.plain
    demand_status(_send_body(subject, b"{"), 400)
    changes = (_no_inputs, _short_data, _wrong_datatype, _unknown_datatype, _wrong_rank)
    for change in changes:
        question = subject.question()
        change(subject, question)
        demand_status(subject.ask(question), 400)


def _content_type(subject: Subject) -> None:
    _ = subject.plain
    reply = _send_body(subject, b"{")
    demand(reply.status >= 400, "an error status", f"status {reply.status}")
    kind = reply.headers.get("content-type", "")
    demand(kind.startswith("application/json"), "the Content-Type application/json", f"it is {kind!r}")


def _no_trace(subject: Subject) -> None:
    _ = subject.plain
    questions: list[Any] = [[], {"inputs": 7}]
    for change in (_wrong_rank, _short_data, _unknown_input, _object_for_data):
        question = subject.question()
        change(subject, question)
        questions.append(question)
    for question in questions:
        reply = subject.ask(question)
        text = reply.body.decode("utf-8", "replace")
        shown = next((trace for trace in _TRACES if trace in text), "")
        demand(not shown, "an error message without the server's stack", f"it holds {shown!r}")


def _deep(subject: Subject) -> None:
    _ = subject.plain
    body = b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":' + b"[" * _DEEP + b"]" * _DEEP + b"}]}"
    demand_refusal(_send_body(subject, body))


def _survives(subject: Subject) -> None:
    plain = subject.repeatable
    for change in (_wrong_rank, _short_data, _huge_shape, _unknown_input):
        question = subject.question()
        change(subject, question)
        subject.ask(question)
    _send_body(subject, b"\xff\xfe{")
    found = difference(plain, read_infer(subject.ask(subject.question())))
    demand(not found, "the answer to a plain request after bad ones as before them", found)


_ERROR = rest("Inference Response JSON Error Object")
_INPUT = rest("Request Input")
RULES = (
    refusal("errors.no-json-is-refused", "a body that is no JSON", _ERROR, _of_body(b'{"inputs":['),
            advice="answer errors of the framework with the protocol's error object too"),
    refusal("errors.text-that-is-no-utf8-is-refused",
            "a body that is not UTF-8", _ERROR, _of_body(b'{"id":"\xff\xfe"}')),
    refusal("errors.no-object-is-refused", "JSON that is no object", _ERROR, _of_body(b"[1]")),
    refusal("errors.empty-body-is-refused", "an empty body", _ERROR, _of_body(b"")),
    refusal("errors.request-without-inputs-is-refused", "a request without inputs",
            rest("Inference Request JSON Object"), _changed(_no_inputs)),
    refusal("errors.empty-inputs-are-refused",
            "a request with an empty list of inputs", _INPUT, _changed(_empty_inputs)),
    refusal("errors.missing-input-is-refused",
            "a request that lacks one of the inputs", _INPUT, _changed(_missing_input)),
    refusal("errors.unknown-input-is-refused",
            "an input that the model does not have", _INPUT, _changed(_unknown_input),
            advice="compare the names with the metadata; by place, a client's inputs may be swapped unseen"),
    refusal("errors.further-input-is-refused", "a further input that the model does not have", OPEN_QUESTION,
            _changed(_further_input), severity="recommended"),
    refusal("errors.repeated-input-is-refused", "an input that comes twice", OPEN_QUESTION, _changed(_repeated_input),
            severity="recommended"),
    refusal("errors.unknown-output-is-refused", "an output that the model does not have", rest("Request Output"),
            _changed(_unknown_output), advice="a client that asks for an output waits for it"),
    refusal("errors.wrong-datatype-is-refused", "an input of another datatype than the metadata's", _INPUT,
            _changed(_wrong_datatype), advice="compare the datatype with the metadata before reading data"),
    refusal("errors.unknown-datatype-is-refused", "a datatype that the protocol does not have",
            rest("Tensor Data Types"), _changed(_unknown_datatype)),
    refusal("errors.wrong-rank-is-refused", "an input with more dimensions than the metadata's", _INPUT,
            _changed(_wrong_rank)),
    refusal("errors.wrong-dimension-is-refused", "an input whose fixed dimension has another size", _INPUT,
            _changed(_wrong_dimension)),
    refusal("errors.too-few-data-are-refused", "data with fewer values than the shape takes", rest("Tensor Data"),
            _changed(_short_data)),
    refusal("errors.too-many-data-are-refused", "data with more values than the shape takes", rest("Tensor Data"),
            _changed(_long_data)),
    refusal("errors.ragged-data-are-refused", "nested data whose rows differ in length", rest("Tensor Data"), _ragged),
    refusal("errors.negative-dimension-is-refused", "a shape with a negative size", _INPUT,
            _changed(_negative_dimension), advice="only metadata have -1; a reshape takes it for a wild card"),
    refusal("errors.fraction-in-the-shape-is-refused", "a shape with a fraction", _INPUT, _changed(_fraction_in_shape)),
    refusal("errors.huge-shape-is-refused", "a shape that needs 2^62 rows", _INPUT, _changed(_huge_shape),
            advice="compare the shape with the data before anything is reserved"),
    refusal("errors.text-for-a-number-is-refused", "a text where a number belongs", rest("Tensor Data"),
            _changed(_text_for_number)),
    refusal("errors.object-for-data-is-refused", "data that are no list", rest("Tensor Data"),
            _changed(_object_for_data)),
    refusal("errors.missing-member-is-refused", "an input without name, shape, datatype or data", _INPUT,
            _missing_members),
    refusal("errors.id-that-is-no-text-is-refused", "an id that is an object", rest("Inference Request JSON Object"),
            _changed(_id_no_text), severity="recommended"),
    refusal("errors.unknown-model-is-refused", "inference with a model that is not there", _ERROR,
            _refuses_unknown_model),
    Rule(
        name="errors.unknown-version-is-refused",
        says='inference with a version that is not there is refused with an error status and {"error": "..."}',
        source=_ERROR,
        severity="required",
        check=_refuses_unknown_version,
        advice="answering with another version hides a client's mistake",
    ),
    refusal("errors.deep-json-is-refused", f"JSON that is nested {_DEEP:,} deep", OPEN_QUESTION, _deep,
            severity="recommended", advice="limit the depth of nesting before the parser recurses"),
    Rule(
        name="errors.unknown-model-answers-404",
        says="a model that is not there is answered with 404",
        source=OPEN_QUESTION,
        severity="recommended",
        check=_unknown_is_404,
    ),
    Rule(
        name="errors.unknown-path-answers-404",
        says='a path that is not there is answered with 404 and {"error": "..."}',
        source=rest("Inference Response JSON Error Object"),
        severity="recommended",
        scope="server",
        check=_unknown_path,
        advice="give the framework's own 404 the protocol's error object",
    ),
    Rule(
        name="errors.bad-requests-answer-400",
        says="requests that break the protocol are answered with 400",
        source=f"{_ERROR} (typically 400)",
        severity="recommended",
        check=_bad_is_400,
        advice="422 of a validation framework is not what clients look for",
    ),
    Rule(
        name="errors.content-type-is-json",
        says="errors have the Content-Type application/json",
        source=_ERROR,
        severity="recommended",
        check=_content_type,
    ),
    Rule(
        name="errors.messages-hide-the-stack",
        says="error messages show no stack of the server",
        source="OWASP, Improper Error Handling",
        severity="recommended",
        check=_no_trace,
    ),
    Rule(
        name="errors.leave-the-server-as-it-was",
        says="after bad requests a plain one is answered as before",
        source=rest("Inference"),
        severity="required",
        check=_survives,
    ),
)  # fmt: skip
