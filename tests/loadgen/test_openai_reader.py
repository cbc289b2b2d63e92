import json
from typing import Any

import pytest

from modeldyno.loadgen.readers.openai import StreamReader, WholeReader
from modeldyno.records.requests import Outcome
from modeldyno.wire.http1_response import HttpResponse

DONE = b"data: [DONE]\n\n"


def _chunk(text: str = "", **more: Any) -> bytes:
    choices = [{"index": 0, "delta": {"content": text}}]
    return b"data: " + json.dumps({"choices": choices, **more}).encode() + b"\n\n"


USAGE = _chunk(usage={"prompt_tokens": 4, "completion_tokens": 9})


def _response(status: int = 200, body: bytes = b"", headers: dict[bytes, bytes] | None = None) -> HttpResponse:
    return HttpResponse(status, headers or {}, body, keep_alive=True)


def _streamed(*pieces: bytes, status: int = 200) -> Any:
    reader = StreamReader()
    reader.begin(0)
    for place, piece in enumerate(pieces, 1):
        reader.piece(piece, 100 * place)
    return reader.read(_response(status))


def test_a_stream_is_stamped_and_the_servers_count_of_tokens_is_taken() -> None:
    answer = _streamed(_chunk(), _chunk("a"), _chunk("b"), USAGE + DONE)
    assert (Outcome.OK, 200, True) == (answer.outcome, answer.status, answer.keep_alive)
    assert (200, 300, [200, 300]) == (answer.first_token_ns, answer.last_token_ns, answer.token_moments)
    assert (4, 9) == (answer.input_tokens, answer.output_tokens)


def test_pieces_stand_for_tokens_where_the_server_does_not_count() -> None:
    answer = _streamed(_chunk("a"), _chunk("b"), DONE)
    assert (-1, 2) == (answer.input_tokens, answer.output_tokens)


def test_an_answer_without_content_has_no_first_token() -> None:
    answer = _streamed(_chunk(), DONE)
    assert (Outcome.OK, -1, -1, 0) == (
        answer.outcome, answer.first_token_ns, answer.last_token_ns, answer.output_tokens,
    )  # fmt: skip


def test_a_stream_that_breaks_off_is_cut_and_keeps_its_stamps() -> None:
    answer = _streamed(_chunk("a"), _chunk("b"))
    assert (Outcome.STREAM_CUT, [100, 200]) == (answer.outcome, answer.token_moments)


@pytest.mark.parametrize(
    ("code", "outcome", "status"), ((503, Outcome.HTTP_ERROR, 503), ("overloaded", Outcome.MALFORMED, 200))
)
def test_an_error_within_a_stream_is_a_failure(code: Any, outcome: Outcome, status: int) -> None:
    error = b"data: " + json.dumps({"error": {"message": "no memory", "code": code}}).encode() + b"\n\n"
    answer = _streamed(_chunk("a"), error, DONE)
    assert (outcome, status) == (answer.outcome, answer.status)


def test_what_follows_a_broken_chunk_is_not_read() -> None:
    answer = _streamed(_chunk("a"), b"data: {\n\n", _chunk("b"), DONE)
    assert (Outcome.MALFORMED, [100]) == (answer.outcome, answer.token_moments)


def test_a_server_that_answers_in_one_piece_when_a_stream_was_asked_breaks_the_protocol() -> None:
    assert Outcome.MALFORMED == _streamed(b'{"choices": [{"message": {"content": "hi"}}]}').outcome


def test_an_error_by_status_is_one_whatever_its_body() -> None:
    answer = _streamed(b'{"error": {"message": "no", "code": 500}}', status=429)
    assert (Outcome.HTTP_ERROR, 429, ()) == (answer.outcome, answer.status, answer.token_moments)
    assert b'{"error": {"message": "no", "code": 500}}' == answer.words


def test_nothing_of_a_request_is_left_for_the_next_on_its_connection() -> None:
    reader = StreamReader()
    reader.begin(0)
    reader.piece(_chunk("x"), 50)
    reader.piece(b"data: {\n\ndata: {", 100)
    reader.begin(1)
    reader.piece(_chunk("a") + DONE, 200)
    answer = reader.read(_response())
    assert (Outcome.OK, [200]) == (answer.outcome, answer.token_moments)


def test_a_whole_chat_answer_tells_its_tokens_and_the_servers_times() -> None:
    body = b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 4, "completion_tokens": 9}}'
    reader = WholeReader("chat", [1])
    reader.begin(0)
    answer = reader.read(_response(body=body, headers={b"server-timing": b"total;dur=1.5"}))
    assert (Outcome.OK, 4, 9, -1) == (
        answer.outcome, answer.input_tokens, answer.output_tokens, answer.first_token_ns,
    )  # fmt: skip
    assert answer.server_times is not None


def test_each_request_for_vectors_gets_as_many_as_it_has_texts() -> None:
    body = b'{"data": [{"embedding": [0.5]}, {"embedding": [0.5]}]}'
    reader = WholeReader("embeddings", [1, 2])
    outcomes = []
    for which in (1, 0):
        reader.begin(which)
        outcomes.append(reader.read(_response(body=body)).outcome)
    assert [Outcome.OK, Outcome.MALFORMED] == outcomes


def test_a_whole_answer_that_is_an_error_is_a_failure() -> None:
    reader = WholeReader("chat", [1])
    reader.begin(0)
    answer = reader.read(_response(body=b'{"error": {"message": "busy", "code": 503}}'))
    assert (Outcome.HTTP_ERROR, 503) == (answer.outcome, answer.status)
    assert (Outcome.HTTP_ERROR, 500) == reader.read(_response(500, b"oops"))[:2]
