import json
from collections.abc import Sequence

import numpy as np
import pytest

from modeldyno.loadgen.readers.expected import AnswerCheck, ExpectedReader
from modeldyno.loadgen.readers.outputs import DECODERS, decode_tf_serving, decode_v2
from modeldyno.loadgen.readers.plain import PlainReader
from modeldyno.records.requests import Outcome
from modeldyno.records.signature import Signature, TensorSpec
from modeldyno.wire.expected import Expectation, encode_expectation, expect_outputs
from modeldyno.wire.http1_response import HttpResponse, MalformedResponseError
from modeldyno.wire.v2_client import encode_infer_request

OUTPUT = Signature(inputs=(TensorSpec(name="y", datatype="FP32", shape=("batch",)),), outputs=())


def response(body: bytes, status: int = 200, **headers: bytes) -> HttpResponse:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return HttpResponse(status, named, body, keep_alive=True)


def outputs(**values: list[float]) -> Expectation:
    return expect_outputs({name: np.array(column, np.float32) for name, column in values.items()})


def v2_answer(*values: float) -> HttpResponse:
    # A request has the form of an answer, but for the word.
    encoded = encode_infer_request({"y": np.array(values, np.float32)}, OUTPUT)
    head = encoded.body[: encoded.header_length].replace(b'"inputs"', b'"outputs"')
    body = head + encoded.body[encoded.header_length :]
    return response(body, inference_header_content_length=str(len(head)).encode())


def check_of(*expected: Expectation | None, share: float = 1.0, tolerance: float = 1e-4, seed: int = 1) -> AnswerCheck:
    encoded = [b"" if one is None else encode_expectation(one) for one in expected]
    return AnswerCheck(encoded, share=share, tolerance=tolerance, decode=decode_v2, seed=seed)


def outcomes(check: AnswerCheck, answers: Sequence[tuple[int, HttpResponse]]) -> list[Outcome]:
    reader = ExpectedReader(PlainReader(), check)
    found = []
    for which, answer in answers:
        reader.begin(which)
        found.append(reader.read(answer).outcome)
    return found


def test_an_answer_is_held_against_what_is_expected_of_its_own_request() -> None:
    check = check_of(outputs(y=[1]), outputs(y=[2]))

    found = outcomes(check, [(0, v2_answer(1)), (1, v2_answer(2)), (1, v2_answer(1)), (0, v2_answer(1.00005))])

    assert [Outcome.OK, Outcome.OK, Outcome.WRONG_ANSWER, Outcome.OK] == found
    assert (4, 1) == (check.checked, check.wrong)
    assert "request 1 of the data: y[0]: expected 2.0, got 1.0" == check.example


def test_the_first_wrong_answer_is_the_example() -> None:
    check = check_of(outputs(y=[1]))

    outcomes(check, [(0, v2_answer(5)), (0, v2_answer(6))])

    assert (2, "request 0 of the data: y[0]: expected 1.0, got 5.0") == (check.wrong, check.example)


def test_nothing_is_checked_where_nothing_is_expected() -> None:
    check = check_of(None, Expectation())

    assert [Outcome.OK, Outcome.OK] == outcomes(check, [(0, response(b"")), (1, response(b"x"))])
    assert 0 == check.checked


def test_an_error_is_an_error_and_its_content_is_not_checked() -> None:
    check = check_of(Expectation(body=b"right"))

    assert [Outcome.HTTP_ERROR] == outcomes(check, [(0, response(b"wrong", 503))])
    assert 0 == check.checked


def test_a_share_of_the_answers_is_drawn_by_the_seed() -> None:
    answers = [(0, response(b"right"))] * 2000
    checks = [check_of(Expectation(body=b"right"), share=0.1, seed=seed) for seed in (1, 1, 2)]
    for check in checks:
        outcomes(check, answers)

    one, again, other = (check.checked for check in checks)
    # Four standard deviations of a binomial of 2,000 draws with 0.1: 54.
    assert 146 < one < 254
    assert one == again
    assert one != other


def test_a_status_that_is_expected_is_a_success_and_another_is_none() -> None:
    check = check_of(Expectation(statuses=((404, 404), (200, 200))))

    found = outcomes(check, [(0, response(b"", status)) for status in (200, 201, 404, 500)])

    assert [Outcome.OK, Outcome.HTTP_ERROR, Outcome.OK, Outcome.HTTP_ERROR] == found


@pytest.mark.parametrize(
    ("expected", "right", "wrong"),
    (
        (Expectation(body=b"a\xff"), b"a\xff", b"a"),
        (Expectation(pattern='"score": 0[.]9'), b'{"score": 0.91}', b'{"score": 0.8}'),
        (Expectation(document=b'{"p": 0.5}'), b'{"id": 7, "p": 0.50001}', b'{"p": 0.6}'),
        (Expectation(document=b"[NaN]"), b"[NaN]", b"[null]"),
        (Expectation(document=b"{}"), b"{}", b"<html>"),
        (Expectation(document=b"[1]", pattern="1"), b"[1]", b"[10]"),
    ),
)
def test_bodies_patterns_and_documents_are_checked(expected: Expectation, right: bytes, wrong: bytes) -> None:
    check = check_of(expected)

    assert [Outcome.OK, Outcome.WRONG_ANSWER] == outcomes(check, [(0, response(right)), (0, response(wrong))])
    assert check.example


def test_an_answer_whose_tensors_cannot_be_read_is_malformed() -> None:
    reader = ExpectedReader(PlainReader(), check_of(outputs(y=[1])))
    reader.begin(0)

    with pytest.raises(MalformedResponseError):
        reader.read(response(b"{}"))


def test_a_tolerance_of_zero_forgives_nothing() -> None:
    check = check_of(outputs(y=[1]), tolerance=0)

    assert [Outcome.OK, Outcome.WRONG_ANSWER] == outcomes(check, [(0, v2_answer(1)), (0, v2_answer(1.0000002))])


def test_answers_of_tensorflow_serving_have_outputs_too() -> None:
    encoded = [encode_expectation(outputs(scores=[0.5, 0.25]))]
    check = AnswerCheck(encoded, share=1, tolerance=1e-4, decode=decode_tf_serving, seed=1)
    bodies = [json.dumps({"predictions": [0.5, last]}).encode() for last in (0.25, 0.75)]

    assert [Outcome.OK, Outcome.WRONG_ANSWER] == outcomes(check, [(0, response(body)) for body in bodies])


def test_every_protocol_with_outputs_has_its_decoder() -> None:
    assert {"v2": decode_v2, "tf-serving": decode_tf_serving}.items() <= DECODERS.items()
