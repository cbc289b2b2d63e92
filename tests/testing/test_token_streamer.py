import base64
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from tests.testing.conftest import ask, connect

from modeldyno.errors import UsageError
from modeldyno.testing.streaming import Streaming
from modeldyno.testing.token_streamer import TokenStreamer, token_streamer
from modeldyno.testing.token_truth import StreamFate

MS = 1_000_000
CHAT, PLAIN = "/v1/chat/completions", "/v1/completions"
MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "one two three"}]},
]
QUICK = Streaming(first_token_ns=3 * MS, gap_ns=MS, tokens=5)


@pytest.fixture(scope="module")
def quick() -> Iterator[TokenStreamer]:
    with token_streamer(QUICK) as streamer:
        yield streamer


def stream(url: str, path: str = CHAT, **more: Any) -> list[Any]:
    """The events of a streamed answer, the end mark as text."""
    asked = {"model": "known", "stream": True, ("messages" if path == CHAT else "prompt"): MESSAGES, **more}
    with closing(connect(url)) as connection:
        reply = ask(connection, path, asked)
    assert 200 == reply.status
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in reply.body.decode().split("\n\n") if line]
    return [event if event == "[DONE]" else json.loads(event) for event in events]


def test_a_chat_is_streamed_word_by_word_to_its_end_mark(quick: TokenStreamer) -> None:
    events = stream(quick.url, max_completion_tokens=3)
    choices = [event["choices"][0] for event in events[:-1]]
    assert "[DONE]" == events[-1]
    assert {"role": "assistant", "content": ""} == choices[0]["delta"]
    assert [" word"] * 3 == [choice["delta"]["content"] for choice in choices[1:-1]]
    assert [None, None, None, None, "length"] == [choice["finish_reason"] for choice in choices]
    assert {"chat.completion.chunk"} == {event["object"] for event in events[:-1]}
    assert 1 == len({event["id"] for event in events[:-1]})


def test_a_plain_completion_is_streamed_as_text(quick: TokenStreamer) -> None:
    events = stream(quick.url, PLAIN, prompt="one two", stream_options={"include_usage": True})
    assert [" word"] * 5 + [""] == [event["choices"][0]["text"] for event in events[:-2]]
    assert {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7} == events[-2]["usage"]
    assert [] == events[-2]["choices"]
    assert "[DONE]" == events[-1]


@pytest.mark.parametrize(("path", "prompt"), ((CHAT, {"messages": MESSAGES}), (PLAIN, {"prompt": [4, 5, 6, 7, 8]})))
def test_an_answer_that_is_not_streamed_comes_as_a_whole(
    quick: TokenStreamer, path: str, prompt: dict[str, Any]
) -> None:
    connection = connect(quick.url)
    reply = ask(connection, path, {"model": "known", "max_tokens": 4, **prompt})
    connection.close()
    choice = reply.document["choices"][0]
    assert " word" * 4 == (choice["message"]["content"] if path == CHAT else choice["text"])
    assert "length" == choice["finish_reason"]
    assert {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9} == reply.document["usage"]


@pytest.mark.parametrize("gap_ns", (0, MS, 3 * MS))
def test_no_token_is_written_before_its_moment_and_a_late_one_puts_off_no_other(gap_ns: int) -> None:
    with token_streamer(Streaming(first_token_ns=10 * MS, gap_ns=gap_ns, tokens=20)) as streamer:
        for _ in range(3):
            stream(streamer.url)
        truth = streamer.truth()

    assert [20, 20, 20] == truth.answers["tokens"].tolist()
    assert [1, 2, 3] == truth.answers["number"].tolist()
    due_ns = (truth.answers["arrived_ns"] + 10 * MS)[:, None] + np.arange(20) * gap_ns
    written_ns = truth.moments_ns.reshape(3, 20)
    assert np.all(written_ns >= due_ns)
    assert (written_ns[:, 0] - truth.answers["arrived_ns"]).tolist() == truth.first_tokens_ns().tolist()
    assert np.diff(written_ns, axis=1).ravel().tolist() == truth.gaps_ns().tolist()
    # A late one put off the next if the lateness only grew.
    assert not gap_ns or np.any(np.diff(written_ns - due_ns, axis=1) < 0)
    assert truth.answers["done_ns"].tolist() == written_ns[:, -1].tolist()


def test_the_role_may_come_long_before_the_first_token() -> None:
    with token_streamer(Streaming(first_token_ns=80 * MS, gap_ns=0, tokens=2, role_first=True)) as streamer:
        connection = connect(streamer.url)
        connection.request("POST", CHAT, json.dumps({"model": "known", "stream": True, "messages": MESSAGES}))
        answer = connection.getresponse()
        first = answer.readline()
        were_written = len(streamer.truth().moments_ns)
        answer.read()
        connection.close()

    assert b'"role":"assistant"' in first
    assert 0 == were_written


def test_streams_end_in_each_of_the_wrong_ways() -> None:
    streaming = Streaming(first_token_ns=0, gap_ns=MS, tokens=8, cut_every=2, unfinished_every=3, hang_every=5)
    with token_streamer(streaming) as streamer:
        assert "[DONE]" == stream(streamer.url)[-1]
        with pytest.raises(http.client.IncompleteRead):
            stream(streamer.url)
        unfinished = stream(streamer.url)
        with pytest.raises(http.client.IncompleteRead):
            stream(streamer.url)
        with closing(connect(streamer.url, 0.5)) as connection, pytest.raises(TimeoutError):
            ask(connection, CHAT, {"model": "known", "stream": True, "messages": MESSAGES})
        answers = streamer.truth().answers

    assert 5 == len(unfinished)
    assert "[DONE]" != unfinished[-1]
    fates = [StreamFate.FINISHED, StreamFate.CUT, StreamFate.UNFINISHED, StreamFate.CUT, StreamFate.HANGING]
    assert fates == answers["fate"].tolist()[:5]
    assert [8, 4, 4, 4, 4] == answers["tokens"].tolist()[:5]


def test_a_client_that_leaves_ends_its_stream() -> None:
    with token_streamer(Streaming(first_token_ns=0, gap_ns=5 * MS, tokens=10_000)) as streamer:
        connection = connect(streamer.url)
        connection.request("POST", CHAT, json.dumps({"model": "known", "stream": True, "messages": MESSAGES}))
        connection.getresponse().readline()
        connection.close()
        while not len(answers := streamer.truth().answers):
            pass

    assert [StreamFate.LEFT] == answers["fate"].tolist()
    assert 1 <= answers["tokens"][0] < 10_000


def test_an_embedding_is_a_unit_vector_as_numbers_or_base64(quick: TokenStreamer) -> None:
    connection = connect(quick.url)
    reply = ask(connection, "/v1/embeddings", {"model": "known", "input": ["one two", "three"]})
    coded = ask(connection, "/v1/embeddings", {"model": "known", "input": "one", "encoding_format": "base64"})
    numbers = ask(connection, "/v1/embeddings", {"model": "known", "input": [1, 2, 3]})
    connection.close()

    vectors = [entry["embedding"] for entry in reply.document["data"]]
    assert [8, 8] == [len(vector) for vector in vectors]
    assert pytest.approx(1.0) == sum(value * value for value in vectors[0])
    decoded = np.frombuffer(base64.b64decode(coded.document["data"][0]["embedding"]), "<f4")
    assert decoded.tolist() == pytest.approx(vectors[0])
    assert [3, 1, 3] == [one.document["usage"]["prompt_tokens"] for one in (reply, coded, numbers)]
    assert 1 == len(numbers.document["data"])


@pytest.mark.parametrize(
    ("path", "document", "status"),
    (
        (CHAT, {"model": "other", "messages": []}, 404),
        (CHAT, {"model": "known"}, 400),
        (PLAIN, {"model": "known"}, 400),
        (CHAT, {"model": "known", "messages": [], "max_tokens": -1}, 400),
        (CHAT, {"model": "known", "messages": [], "n": 2}, 400),
        (CHAT, [1], 400),
        ("/v1/embeddings", {"model": "other", "input": ""}, 404),
        ("/v1/embeddings", {"input": ""}, 400),
        ("/v1/audio", {}, 404),
    ),
)
def test_what_it_cannot_do_is_refused_and_the_connection_goes_on(
    quick: TokenStreamer, path: str, document: Any, status: int
) -> None:
    connection = connect(quick.url)
    reply = ask(connection, path, document)
    listed = ask(connection, "/v1/models", None, "GET")
    healthy = ask(connection, "/health", None, "GET")
    connection.close()

    assert status == reply.status
    assert reply.document["error"]["message"]
    assert ["known"] == [entry["id"] for entry in listed.document["data"]]
    assert 200 == healthy.status


def test_it_forgets_when_told_to(quick: TokenStreamer) -> None:
    stream(quick.url)
    assert len(quick.truth().answers) >= 1
    quick.forget()
    truth = quick.truth()
    assert (0, 0, 0) == (len(truth.answers), len(truth.moments_ns), len(truth.gaps_ns()))


def test_bytes_that_are_no_http_end_the_connection(quick: TokenStreamer) -> None:
    connection = connect(quick.url)
    connection.connect()
    connection.sock.sendall(b"hello\r\n\r\n")
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 400 ")
    connection.close()


def test_a_connection_is_closed_when_the_client_asks_so(quick: TokenStreamer) -> None:
    parts = urlsplit(quick.url)
    connection = http.client.HTTPConnection(parts.netloc)
    asked = json.dumps({"model": "known", "stream": True, "messages": MESSAGES})
    connection.request("POST", CHAT, asked, {"Connection": "close"})
    assert b"[DONE]" in connection.getresponse().read()
    assert b"" == connection.sock.recv(1) if connection.sock else True
    connection.close()


def test_it_runs_as_a_command_and_says_its_address_first() -> None:
    command = [sys.executable, "-m", "modeldyno.testing.token_streamer", "--gap", "1ms", "--model", "mine"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        connection = connect(url)
        assert "mine" in ask(connection, "/v1/models", None, "GET").body.decode()
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(30)


@pytest.mark.parametrize("arguments", (("--gap", "5"), ("--tokens", "0")))
def test_arguments_that_cannot_be_are_named(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "modeldyno.testing.token_streamer", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 2 == ended.returncode
    assert ended.stderr.startswith("error: ")
    assert 1 == ended.stderr.count("\n")


@pytest.mark.parametrize("changes", ({"tokens": 0}, {"dimensions": 0}, {"gap_ns": -1}, {"first_token_ns": -1}))
def test_a_streamer_that_cannot_be_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Streaming(**changes)  # type: ignore[arg-type]
