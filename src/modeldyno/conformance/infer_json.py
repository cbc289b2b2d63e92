"""Inference with JSON data: what is answered, and whether it is the right answer."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from modeldyno.conformance.answer import (
    InferAnswer,
    demand,
    demand_refusal,
    difference,
    is_same,
    read_infer,
    strict_json,
)
from modeldyno.conformance.endings import BrokenRuleError, NotOfferedError
from modeldyno.conformance.question import json_question
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import OPEN_QUESTION, rest
from modeldyno.conformance.subject import Subject

_AT_ONCE = 8
_IDS = ('quoted "id" \\ / ', "x" * 300, "ünïcödé 漢字 😀", "two\nlines")


def _answers(subject: Subject) -> None:
    answer = read_infer(subject.ask(subject.question()))
    demand(bool(answer.outputs), "at least one output")


def demand_same(subject: Subject, answer: InferAnswer, what: str) -> None:
    """The answer must be that of the plain request."""
    found = difference(subject.repeatable, answer)
    demand(not found, f"the answer of the plain request: {what}", found)


def _nested(subject: Subject) -> None:
    if all(len(spec.shape) < 2 for spec in subject.signature.inputs):
        raise NotOfferedError("no input has more than one dimension")
    _ = subject.repeatable
    answer = read_infer(subject.ask(subject.question(nested=True)))
    demand_same(subject, answer, "nested data mean the same as flat data")


def _names_model(subject: Subject) -> None:
    name = subject.plain.document.get("model_name")
    demand(name == subject.model, f'"model_name": "{subject.model}"', f"it is {name!r}")


def _names_version(subject: Subject) -> None:
    version = subject.plain.document.get("model_version")
    if version is None and not subject.versions:
        raise NotOfferedError("the model has no versions")
    demand(isinstance(version, str), "a text called model_version of a model with versions", f"it is {version!r}")
    if subject.versions:
        demand(version in subject.versions, f"one of {list(subject.versions)} as model_version", f"it is {version!r}")


def _all_outputs(subject: Subject) -> None:
    expected = sorted(spec.name for spec in subject.signature.outputs)
    names = subject.plain.names
    demand(sorted(names) == expected, f"the outputs {expected}, once each", f"they are {names}")


def _output_datatypes(subject: Subject) -> None:
    described = {spec.name: spec.datatype for spec in subject.signature.outputs}
    for output in subject.plain.outputs:
        expected = described.get(output.name, output.datatype)
        demand(output.datatype == expected, f"{expected} as output {output.name!r}", f"it is {output.datatype}")


def _output_shapes(subject: Subject) -> None:
    described = {spec.name: spec.wire_shape for spec in subject.signature.outputs}
    for output in subject.plain.outputs:
        expected = described.get(output.name)
        if expected is None:
            continue
        fits = len(expected) == len(output.shape) and all(
            size in (-1, given) for size, given in zip(expected, output.shape, strict=True)
        )
        demand(fits, f"a shape of the metadata's {expected} for output {output.name!r}", f"it is {list(output.shape)}")


def _batch_rows(subject: Subject) -> None:
    subject.need_batch()
    rows = len(next(iter(subject.inputs.values())))
    for output in subject.plain.outputs:
        demand(output.shape[:1] == (rows,), f"{rows} rows in output {output.name!r}", f"its shape is {output.shape}")


def _id_echoed(subject: Subject) -> None:
    _ = subject.plain
    got = read_infer(subject.ask({"id": "request-42", **subject.question()})).document.get("id")
    demand(got == "request-42", "the id 'request-42'", f"the id {str(got)[:60]!r}")


def _any_id_echoed(subject: Subject) -> None:
    _ = subject.plain
    for text in _IDS:
        answer = read_infer(subject.ask({"id": text, **subject.question()}))
        got = answer.document.get("id")
        demand(got == text, f"the id {text[:30]!r}", f"the id {str(got)[:60]!r}")


def _id_not_invented(subject: Subject) -> None:
    got = subject.plain.document.get("id")
    demand(got in (None, ""), "no id where none was given", f"the id {got!r}")


def _selected(subject: Subject) -> None:
    name = subject.signature.outputs[-1].name
    plain = subject.repeatable
    answer = read_infer(subject.ask({**subject.question(), "outputs": [{"name": name}]}))
    demand(name in answer.names, f"the output {name!r}", f"the outputs {answer.names}")
    wanted = next(one for one in answer.outputs if one.name == name)
    whole = next((one for one in plain.outputs if one.name == name), None)
    if whole is not None:
        demand(is_same(whole.values, wanted.values), f"output {name!r} as without a selection", "it has other values")


def _two_outputs(subject: Subject) -> list[str]:
    names = [spec.name for spec in subject.signature.outputs]
    if len(names) < 2:
        raise NotOfferedError("the model has one output only")
    return names


def _others_left_out(subject: Subject) -> None:
    name = _two_outputs(subject)[-1]
    _ = subject.plain
    answer = read_infer(subject.ask({**subject.question(), "outputs": [{"name": name}]}))
    demand(answer.names == [name], f"the output {name!r} only", f"the outputs {answer.names}")


def _order_of_outputs(subject: Subject) -> None:
    names = list(reversed(_two_outputs(subject)))
    _ = subject.plain
    answer = read_infer(subject.ask({**subject.question(), "outputs": [{"name": name} for name in names]}))
    demand(answer.names == names, f"the outputs in the order asked for, {names}", f"{answer.names}")


def _order_of_inputs(subject: Subject) -> None:
    if len(subject.signature.inputs) < 2:
        raise NotOfferedError("the model has one input only")
    _ = subject.repeatable
    question = subject.question()
    question["inputs"].reverse()
    demand_same(subject, read_infer(subject.ask(question)), "inputs are known by their names, not by their places")


def _of_a_version(subject: Subject) -> None:
    path = subject.version_path
    _ = subject.plain
    answer = read_infer(subject.ask(subject.question(), path=path))
    got = answer.document.get("model_version")
    demand(got == subject.version, f"an answer of version {subject.version!r}", f"it is of {got!r}")


def _single_rows(subject: Subject) -> None:
    plain = subject.repeatable
    for number, row in enumerate(subject.single_rows()):
        answer = read_infer(subject.ask(json_question(subject.need_json(), row)))
        _check_row(plain, answer, number)


def _check_row(plain: InferAnswer, answer: InferAnswer, number: int) -> None:
    singles = {output.name: output for output in answer.outputs}
    for output in plain.outputs:
        single = singles.get(output.name)
        demand(single is not None, f"output {output.name!r} for a single row", f"the outputs {answer.names}")
        if single is None or output.shape[1:] != single.shape[1:]:
            continue  # a model may give as much as its rows hold together
        rows = output.values.reshape(output.shape)
        demand(
            is_same(rows[number].ravel(), single.values),
            f"row {number} of output {output.name!r} as when it is sent alone",
            "it has other values",
        )


def _own_answers(subject: Subject) -> None:
    plain = subject.repeatable
    rows = subject.single_rows() if subject.is_batched else [subject.inputs]
    signature = subject.need_json()

    def ask(number: int) -> InferAnswer:
        document = {"id": f"request-{number}", **json_question(signature, rows[number % len(rows)])}
        return read_infer(subject.ask(document))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(ask, range(4 * _AT_ONCE)))
    for number, answer in enumerate(answers):
        got = answer.document.get("id")
        demand(got == f"request-{number}", f"the id request-{number}", f"the id {got!r}")
        if subject.is_batched:
            _check_row(plain, answer, number % len(rows))
        else:
            demand_same(subject, answer, "requests at the same time do not disturb each other")


def _zero_rows(subject: Subject) -> None:
    subject.need_batch()
    _ = subject.plain
    empty = {name: array[:0] for name, array in subject.inputs.items()}
    reply = subject.ask(json_question(subject.need_json(), empty))
    if reply.status != 200:
        demand_refusal(reply)
        return
    for output in read_infer(reply).outputs:
        demand(output.shape[:1] == (0,), f"no rows in output {output.name!r}", f"its shape is {list(output.shape)}")


def _outputs_null_free(subject: Subject) -> None:
    document = subject.plain.document
    entries: list[dict[str, Any]] = [document, *document["outputs"]]
    optional = ("id", "parameters", "model_version")
    nulls = sorted({name for entry in entries for name in optional if name in entry and entry[name] is None})
    demand(not nulls, "optional members left out when they have no value", f"{', '.join(nulls)} is null")


def _nan_literal(subject: Subject) -> None:
    place, _ = subject.find_input("FP32", "FP64")
    _ = subject.plain
    question = subject.question()
    question["inputs"][place]["data"][0] = float("nan")
    reply = subject.ask(question)
    if reply.status == 200:
        raise BrokenRuleError('a status 4xx with {"error": "..."}: NaN is no JSON', "status 200")
    demand_refusal(reply)


def _nan_answer(subject: Subject) -> None:
    place, spec = subject.find_input("FP32", "FP64")
    _ = subject.binary
    changed = {name: array.copy() for name, array in subject.inputs.items()}
    changed[spec.name].ravel()[:1] = float("nan")
    document, contents = subject.binary_question()
    contents[place] = changed[spec.name].tobytes()
    reply = subject.ask_binary(document, contents)
    if reply.status != 200:
        strict_json(reply.body)
        return
    read_infer(reply)


_REQUEST = rest("Inference Request JSON Object")
_RESPONSE = rest("Inference Response JSON Object")
RULES = (
    Rule(
        name="infer.json.answers",
        says="a request made from the metadata, with flat JSON data, is answered with 200 and all it needs",
        source=rest("Inference"),
        severity="required",
        check=_answers,
        advice="if the model takes only certain values, give some: --data FILE",
    ),
    Rule(
        name="infer.json.nested-data-mean-the-same",
        says="data nested by shape are understood, and mean what flat data mean",
        source=rest("Tensor Data"),
        severity="required",
        check=_nested,
        advice="flatten nested data in row-major order before the shape is checked",
    ),
    Rule(
        name="infer.json.names-the-model",
        says="the answer has the model's name as model_name",
        source=_RESPONSE,
        severity="required",
        check=_names_model,
    ),
    Rule(
        name="infer.json.names-a-listed-version",
        says="the answer of a model with versions has a model_version that the metadata list",
        source=_RESPONSE,
        severity="required",
        check=_names_version,
    ),
    Rule(
        name="infer.json.all-outputs-are-returned",
        says="without a selection every output of the metadata is returned, once",
        source=_REQUEST,
        severity="required",
        check=_all_outputs,
    ),
    Rule(
        name="infer.json.datatypes-are-those-of-the-metadata",
        says="outputs have the datatype that the metadata give them",
        source=rest("Response Output"),
        severity="required",
        check=_output_datatypes,
    ),
    Rule(
        name="infer.json.shapes-are-those-of-the-metadata",
        says="outputs have a shape that the metadata allow",
        source=rest("Response Output"),
        severity="required",
        check=_output_shapes,
    ),
    Rule(
        name="infer.json.outputs-have-the-rows-of-the-request",
        says="where the first dimension is the batch, every output has as many rows as the request",
        source=rest("Request Input"),
        severity="required",
        check=_batch_rows,
    ),
    Rule(
        name="infer.json.id-is-echoed",
        says="the id of the request comes back",
        source=_REQUEST,
        severity="required",
        check=_id_echoed,
    ),
    Rule(
        name="infer.json.id-of-any-text-is-echoed",
        says="an id of any characters comes back: quotes, letters beyond ASCII, two lines, 300 characters",
        source=_REQUEST,
        severity="required",
        check=_any_id_echoed,
        advice="do not put the id into a header or a log line as it is",
    ),
    Rule(
        name="infer.json.id-is-not-invented",
        says="without an id in the request there is none in the answer",
        source=_RESPONSE,
        severity="recommended",
        check=_id_not_invented,
    ),
    Rule(
        name="infer.json.selected-output-is-returned",
        says="an output that is asked for is returned, as without a selection",
        source=_REQUEST,
        severity="required",
        check=_selected,
    ),
    Rule(
        name="infer.json.unselected-outputs-are-left-out",
        says="outputs that were not asked for are not returned",
        source=_REQUEST,
        severity="required",
        check=_others_left_out,
        advice="filter the outputs by the request's list before they are encoded",
    ),
    Rule(
        name="infer.json.outputs-come-in-the-order-asked",
        says="outputs come in the order of the request's list",
        source=OPEN_QUESTION,
        severity="recommended",
        check=_order_of_outputs,
    ),
    Rule(
        name="infer.json.inputs-come-in-any-order",
        says="inputs are known by name: their order does not change the answer",
        source=rest("Request Input"),
        severity="required",
        check=_order_of_inputs,
    ),
    Rule(
        name="infer.json.of-a-version",
        says="a listed version can be asked, and the answer is of that version",
        source=rest("Inference"),
        severity="required",
        check=_of_a_version,
    ),
    Rule(
        name="infer.json.rows-are-answered-as-if-alone",
        says="a row has the same answer in a batch as alone",
        source=rest("Request Input"),
        severity="recommended",
        check=_single_rows,
        advice="a model whose rows depend on each other breaks this rightly",
    ),
    Rule(
        name="infer.json.requests-at-once-get-their-own-answers",
        says=f"each of {_AT_ONCE} requests at a time gets its own id and its own answer",
        source=rest("Inference"),
        severity="required",
        check=_own_answers,
        advice="look at the batching: rows of different requests are mixed up, or a shared answer is changed",
    ),
    Rule(
        name="infer.json.no-rows-are-answered-or-refused",
        says="a request with 0 rows gets outputs with 0 rows, or an error 4xx",
        source=OPEN_QUESTION,
        severity="recommended",
        check=_zero_rows,
    ),
    Rule(
        name="infer.json.members-without-a-value-are-left-out",
        says="optional members of the answer are left out rather than null",
        source=_RESPONSE,
        severity="recommended",
        check=_outputs_null_free,
        advice="typed clients refuse null where the specification has a text or an object",
    ),
    Rule(
        name="infer.json.nan-is-refused",
        says="the word NaN in the data is refused, for it is no JSON",
        source="RFC 8259, section 6; the specification is silent about NaN",
        severity="recommended",
        check=_nan_literal,
        advice="a server that takes it must expect other clients not to; binary tensors carry NaN",
    ),
    Rule(
        name="infer.json.nan-is-answered-by-numbers-or-an-error",
        says="when an output is no number the answer is an error, or holds neither NaN nor null among its numbers",
        source="RFC 8259, section 6; the specification is silent about NaN",
        severity="recommended",
        check=_nan_answer,
        advice="answer with an error that asks for binary outputs instead",
    ),
)
