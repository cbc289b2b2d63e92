"""Parameters of requests, inputs and outputs."""

from typing import Any

from modeldyno.conformance.answer import demand, read_infer
from modeldyno.conformance.question import Document
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import rest, triton
from modeldyno.conformance.subject import Subject

_OF_EVERY_KIND = {
    "modeldyno_text": "a",
    "modeldyno_whole": 7,
    "modeldyno_number": 0.5,
    "modeldyno_truth": True,
}
_SCALARS = (str, int, float, bool)


def _answered(subject: Subject, document: Document) -> None:
    read_infer(subject.ask(document))


def _of_request(subject: Subject) -> None:
    _ = subject.plain
    _answered(subject, {**subject.question(), "parameters": _OF_EVERY_KIND})


def _of_input(subject: Subject) -> None:
    _ = subject.plain
    question = subject.question()
    question["inputs"][0]["parameters"] = _OF_EVERY_KIND
    _answered(subject, question)


def _of_output(subject: Subject) -> None:
    _ = subject.plain
    name = subject.signature.outputs[0].name
    _answered(subject, {**subject.question(), "outputs": [{"name": name, "parameters": _OF_EVERY_KIND}]})


def _empty(subject: Subject) -> None:
    _ = subject.plain
    question: Document = {**subject.question(), "parameters": {}}
    question["inputs"][0]["parameters"] = {}
    question["outputs"] = [{"name": spec.name, "parameters": {}} for spec in subject.signature.outputs]
    _answered(subject, question)


def _priority(subject: Subject) -> None:
    _ = subject.plain
    _answered(subject, {**subject.question(), "parameters": {"priority": 1, "timeout": 30_000_000}})


def _of_answer(subject: Subject) -> None:
    document = subject.plain.document
    found: list[tuple[str, Any]] = [("the answer", document.get("parameters"))]
    found += [(f"output {entry.get('name')!r}", entry.get("parameters")) for entry in document["outputs"]]
    for whose, parameters in found:
        if parameters is None:
            continue  # left out, or null: another rule is about that
        demand(isinstance(parameters, dict), f"an object as parameters of {whose}", f"{parameters!r}")
        plain = all(isinstance(value, _SCALARS) for value in parameters.values())
        demand(plain, f"texts, numbers and truths as parameters of {whose}", f"{parameters!r}")


def _size_beside_parameters(subject: Subject) -> None:
    for entry in subject.plain.document["outputs"]:
        parameters = entry.get("parameters")
        if isinstance(parameters, dict) and parameters:
            demand(
                type(parameters.get("binary_data_size")) is int,
                f"no parameters in JSON output {entry.get('name')!r}, or binary_data_size among them",
                f"they are {sorted(parameters)}",
            )


RULES = (
    Rule(
        name="parameters.of-the-request-are-tolerated",
        says="a request with unknown parameters, of every kind that JSON has for them, is answered",
        source=rest("Parameters"),
        severity="required",
        check=_of_request,
        advice="ignore what is unknown; values may be texts, numbers and truths",
    ),
    Rule(
        name="parameters.of-an-input-are-tolerated",
        says="an input with unknown parameters is understood",
        source=rest("Parameters"),
        severity="required",
        check=_of_input,
    ),
    Rule(
        name="parameters.of-an-output-are-tolerated",
        says="an output with unknown parameters is returned",
        source=rest("Parameters"),
        severity="required",
        check=_of_output,
    ),
    Rule(
        name="parameters.may-be-empty",
        says="an empty parameters object changes nothing, wherever it is",
        source=rest("Parameters"),
        severity="required",
        check=_empty,
    ),
    Rule(
        name="parameters.priority-and-timeout-are-tolerated",
        says="a request with priority and timeout is answered",
        source=triton("extension_schedule_policy"),
        severity="extension",
        check=_priority,
    ),
    Rule(
        name="parameters.of-the-answer-are-plain-values",
        says="parameters of the answer are texts, numbers and truths",
        source=rest("Parameters"),
        severity="required",
        check=_of_answer,
    ),
    Rule(
        name="parameters.json-outputs-have-none-without-a-size",
        says="an output in JSON has no parameters, or binary_data_size among them",
        source="Triton's C++ client (src/c++/library/http_client.cc), which fails on any other",
        severity="recommended",
        check=_size_beside_parameters,
        advice="leave parameters out of outputs that have none to give",
    ),
)
