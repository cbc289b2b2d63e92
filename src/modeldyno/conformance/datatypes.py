"""Values of each datatype."""

import numpy as np

from modeldyno.conformance.answer import demand, demand_refusal, difference, read_infer
from modeldyno.conformance.question import binary_question, json_question
from modeldyno.conformance.refusing import refusal
from modeldyno.conformance.rule import Rule
from modeldyno.conformance.sources import OPEN_QUESTION, rest, triton
from modeldyno.conformance.subject import Subject
from modeldyno.records.signature import DATATYPES, WITHOUT_JSON

_WHOLE = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_TEXTS = ("ünïcödé 漢字 😀", 'quoted "text" \\ / \t')


def _whole_numbers(subject: Subject) -> None:
    place, spec = subject.find_input("FP32", "FP64")
    _ = subject.repeatable
    rounded = {**subject.inputs, spec.name: subject.inputs[spec.name].round()}
    with_point = json_question(subject.need_json(), rounded)
    without = json_question(subject.need_json(), rounded)
    without["inputs"][place]["data"] = [int(value) for value in without["inputs"][place]["data"]]
    first = read_infer(subject.ask(with_point))
    found = difference(first, read_infer(subject.ask(without)))
    demand(not found, "the same answer to 1 and 1.0", found)


def _out_of_range(subject: Subject) -> None:
    place, spec = subject.find_input(*_WHOLE)
    _ = subject.plain
    question = subject.question()
    question["inputs"][place]["data"][0] = int(np.iinfo(DATATYPES[spec.datatype]).max) + 1
    demand_refusal(subject.ask(question))


def _float_out_of_range(subject: Subject) -> None:
    place, _ = subject.find_input("FP32")
    _ = subject.plain
    question = subject.question()
    question["inputs"][place]["data"][0] = 1e300
    demand_refusal(subject.ask(question))


def _truths(subject: Subject) -> None:
    place, _ = subject.find_input("BOOL")
    # Not from a plain answer on: a server that takes no truths gives none.
    for truth in (True, False):
        question = subject.question()
        question["inputs"][place]["data"] = [truth] * len(question["inputs"][place]["data"])
        read_infer(subject.ask(question))


def _truths_as_bytes(subject: Subject) -> None:
    subject.find_input("BOOL")
    _ = subject.binary
    found = difference(subject.repeatable, subject.binary)
    demand(not found, "true as the byte 1 and false as the byte 0", found)


def _any_text(subject: Subject) -> None:
    place, _ = subject.find_input("BYTES")
    _ = subject.plain
    for text in _TEXTS:
        question = subject.question()
        data = question["inputs"][place]["data"]
        question["inputs"][place]["data"] = [text] * len(data)
        read_infer(subject.ask(question))


def _texts_agree(subject: Subject) -> None:
    _, spec = subject.find_input("BYTES")
    _ = subject.binary
    _ = subject.repeatable
    array = subject.inputs[spec.name].copy()
    elements = [text.encode() for text in _TEXTS] + [b"a"]
    array.ravel()[:] = [elements[number % len(elements)] for number in range(array.size)]
    changed = {**subject.inputs, spec.name: array}
    in_json = read_infer(subject.ask(json_question(subject.need_json(), changed)))
    in_binary = read_infer(subject.ask_binary(*binary_question(subject.signature, changed)))
    found = difference(in_json, in_binary)
    demand(not found, "the same answer to texts in JSON and to their UTF-8 in binary", found)


def _half_in_json(subject: Subject) -> None:
    place, spec = subject.find_input(*WITHOUT_JSON)
    document, _ = subject.binary_question()
    entry = document["inputs"][place]
    del entry["parameters"]
    entry["data"] = [0.5] * int(np.prod(subject.inputs[spec.name].shape))
    reply = subject.ask(document)
    if reply.status != 200:
        demand_refusal(reply)


RULES = (
    Rule(
        name="datatypes.whole-numbers-are-floats-too",
        says="1 means 1.0 where floats belong: JSON has one kind of number",
        source=rest("Tensor Data"),
        severity="required",
        check=_whole_numbers,
    ),
    refusal("datatypes.whole-number-out-of-range-is-refused", "a whole number beyond its datatype",
            rest("Tensor Data Types"), _out_of_range, severity="recommended",
            advice="a cast that wraps around answers for another number"),
    refusal("datatypes.float-out-of-range-is-refused", "a number beyond FP32 in an FP32 tensor", OPEN_QUESTION,
            _float_out_of_range, severity="recommended"),
    Rule(
        name="datatypes.bool.truths-are-understood",
        says="true and false are the values of BOOL in JSON",
        source=rest("Tensor Data"),
        severity="required",
        check=_truths,
    ),
    Rule(
        name="datatypes.bool.is-one-byte",
        says="a BOOL element is one byte in binary: 1 or 0",
        source=triton("extension_binary_data"),
        severity="extension",
        check=_truths_as_bytes,
    ),
    Rule(
        name="datatypes.bytes.any-text-is-understood",
        says="BYTES elements are texts in JSON, of any characters",
        source=rest("Tensor Data"),
        severity="required",
        check=_any_text,
    ),
    Rule(
        name="datatypes.bytes.binary-agrees-with-json",
        says="a BYTES element is its length in 4 bytes and then its bytes; texts are UTF-8",
        source=triton("extension_binary_data"),
        severity="extension",
        check=_texts_agree,
    ),
    Rule(
        name="datatypes.half.in-json-is-answered-or-refused",
        says="FP16 and BF16 as JSON are answered, or refused with a status 4xx",
        source=OPEN_QUESTION,
        severity="recommended",
        check=_half_in_json,
    ),
)  # fmt: skip
