import json
from typing import Any

import pytest

from modeldyno.wire.errors import WireError
from modeldyno.wire.openai import (
    Counts,
    Generation,
    ReportedError,
    TokenStream,
    encode_chat,
    encode_completion,
    encode_embeddings,
    read_answer,
)

GENERATION = Generation(model="tiny")
HELLO = [{"role": "user", "content": "hello"}]


def _event(document: Any) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _delta(finish: str | None = None, index: int = 0, **delta: Any) -> bytes:
    return _event({"choices": [{"index": index, "delta": delta, "finish_reason": finish}], "usage": None})


def _text(text: str, finish: str | None = None) -> bytes:
    return _event({"choices": [{"index": 0, "text": text, "finish_reason": finish}]})


DONE = b"data: [DONE]\n\n"
USAGE = _event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}})


def _stream(*pieces: bytes) -> TokenStream:
    """The stream of pieces that came at 10, 20, 30, ..."""
    stream = TokenStream()
    for place, piece in enumerate(pieces, 1):
        stream.feed(piece, 10 * place)
    stream.end()
    return stream


def test_a_chat_asks_for_a_stream_with_its_token_counts() -> None:
    body = json.loads(encode_chat(HELLO, GENERATION, 64))
    assert {
        "model": "tiny",
        "messages": HELLO,
        "max_tokens": 64,
        "stream": True,
        "stream_options": {"include_usage": True},
    } == body


def test_the_system_message_comes_first() -> None:
    generation = Generation(model="tiny", system="be brief", streams=False, temperature=0.0)
    body = json.loads(encode_chat(HELLO, generation, None))
    assert [{"role": "system", "content": "be brief"}, *HELLO] == body["messages"]
    assert (False, 0.0) == (body["stream"], body["temperature"])
    assert body.keys().isdisjoint({"max_tokens", "stream_options", "ignore_eos"})


def test_the_length_of_an_answer_can_be_forced() -> None:
    generation = Generation(model="tiny", ignore_eos=True, limit_field="max_completion_tokens")
    body = json.loads(encode_completion("once", generation, 9))
    assert ("once", 9, 9, True) == (
        body["prompt"], body["max_completion_tokens"], body["min_tokens"], body["ignore_eos"],
    )  # fmt: skip
    assert "max_tokens" not in body


def test_further_fields_win_and_null_takes_one_away() -> None:
    generation = Generation(model="tiny", extra={"top_p": 0.9, "stream_options": None, "model": "other"})
    body = json.loads(encode_completion("once", generation, None))
    assert (0.9, "other") == (body["top_p"], body["model"])
    assert "stream_options" not in body


def test_one_text_to_embed_is_a_string_and_several_are_a_list() -> None:
    assert {"model": "tiny", "input": "a"} == json.loads(encode_embeddings(["a"], GENERATION))
    assert {"model": "tiny", "input": ["a", "b"]} == json.loads(encode_embeddings(["a", "b"], GENERATION))


def test_pieces_with_content_are_stamped_and_the_others_are_not() -> None:
    stream = _stream(_delta(role="assistant", content=""), _delta(content="a"), _delta(), _delta("stop"), USAGE, DONE)
    assert [20] == stream.moments_ns
    assert Counts(7, 5) == stream.counts
    assert stream.is_complete


def test_thoughts_refusals_and_arguments_of_tools_are_content() -> None:
    call = [{"index": 0, "function": {"name": "look_up", "arguments": ""}}]
    stream = _stream(
        _delta(content=None, reasoning_content="hm"),
        _delta(reasoning="hm"),
        _delta(refusal="no"),
        _delta(tool_calls=call),
        _delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a'}}]),
    )
    assert [10, 20, 30, 50] == stream.moments_ns


def test_completions_carry_text() -> None:
    stream = _stream(_text("a"), _text(""), _text("b", "length"), DONE)
    assert [10, 30] == stream.moments_ns
    assert Counts(-1, -1) == stream.counts


def test_pieces_in_one_read_share_its_stamp() -> None:
    assert [10, 10, 20] == _stream(_delta(content="a") + _delta(content="b"), _delta(content="c")).moments_ns


@pytest.mark.parametrize("end", (DONE, b"data: [DONE]", _delta("stop"), _delta("stop") + USAGE + DONE))
def test_the_end_mark_or_a_reason_to_finish_completes_a_stream(end: bytes) -> None:
    assert _stream(_delta(content="a"), end).is_complete


@pytest.mark.parametrize("end", (b"", USAGE, b"data: [DO", _delta("stop")[:-2]))
def test_a_stream_that_breaks_off_is_not_complete(end: bytes) -> None:
    assert not _stream(_delta(content="a"), end).is_complete


def test_with_several_choices_each_has_to_finish() -> None:
    both = _delta(content="a") + _delta(content="b", index=1)
    assert not _stream(both, _delta("stop", index=1)).is_complete
    assert _stream(both, _delta("stop", index=1), _delta("length")).is_complete


@pytest.mark.parametrize(
    ("document", "status"),
    (
        ({"error": {"message": "out of memory", "code": 503}}, 503),
        ({"error": {"message": "out of memory", "code": "429"}}, 429),
        ({"error": {"message": "out of memory", "code": "rate_limit"}}, 0),
        ({"error": {"message": "out of memory", "code": None}}, 0),
        ({"error": "out of memory"}, 0),
        ({"object": "error", "message": "out of memory", "code": 400}, 400),
        ({"choices": [{"delta": {"content": "a"}}], "error": {"message": "out of memory", "code": 500}}, 500),
    ),
)
def test_an_error_in_a_good_answer_is_an_error(document: Any, status: int) -> None:
    with pytest.raises(ReportedError, match="out of memory") as caught:
        _stream(_delta(content="a"), _event(document))
    assert status == caught.value.status


@pytest.mark.parametrize("piece", (b"data: {\n\n", b"data: 7\n\n", b'data: {"choices": 7}\n\n', b"data: \xff\n\n"))
def test_what_is_no_chunk_breaks_the_protocol(piece: bytes) -> None:
    with pytest.raises(WireError):
        _stream(piece)


def test_a_whole_answer_tells_its_tokens() -> None:
    chat = {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    assert Counts(3, 1) == read_answer("chat", json.dumps(chat).encode())
    assert Counts(-1, -1) == read_answer("completions", b'{"choices": [{"text": "hi"}]}')


def test_each_text_has_its_vector() -> None:
    body = b'{"data": [{"embedding": [0.5]}, {"embedding": "AAAA"}], "usage": {"prompt_tokens": 4}}'
    assert Counts(4, -1) == read_answer("embeddings", body, rows=2)
    with pytest.raises(WireError, match="2 vectors for 3 texts"):
        read_answer("embeddings", body, rows=3)


@pytest.mark.parametrize(
    "body",
    (
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"text": "hi"}]}',
        b'{"choices": [{"message": 7}]}',
    ),
)
def test_what_is_no_chat_answer_breaks_the_protocol(body: bytes) -> None:
    with pytest.raises(WireError):
        read_answer("chat", body)


def test_an_empty_vector_is_none() -> None:
    with pytest.raises(WireError, match="0 vectors"):
        read_answer("embeddings", b'{"data": [{"embedding": []}]}')


def test_a_whole_answer_may_be_an_error_too() -> None:
    with pytest.raises(ReportedError, match="busy"):
        read_answer("chat", b'{"error": {"message": "busy", "code": 503}}')
