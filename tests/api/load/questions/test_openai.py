import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.api.load.questions.servers import Loaded, Reply, Request, Running, json_reply, load, serving

from modeldyno.api.reporting import page_of, stored_markdown, stored_text
from modeldyno.loadgen.recorder import read_run, read_tokens
from modeldyno.records.requests import Outcome
from modeldyno.testing.token_streamer import Streaming, token_streamer

CHAT = ("--protocol", "openai-chat")
USAGE = {"prompt_tokens": 3, "completion_tokens": 4}
TEMPLATE_TOKENS = 6
TOKENS_A_WORD = 2


def _chunk(text: str, **more: Any) -> str:
    return "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}], **more}) + "\n\n"


STREAM = _chunk("a") + _chunk("b") + _chunk("", usage=USAGE) + "data: [DONE]\n\n"


def _answer(request: Request, stream: str = STREAM) -> Reply:
    if request.method == "GET":
        known = request.path == "/v1/models"
        return json_reply({"object": "list", "data": [{"id": "tiny"}]}) if known else Reply(b"", 404)
    if request.path == "/v1/embeddings":
        texts = request.document["input"]
        count = 1 if isinstance(texts, str) else len(texts)
        return json_reply({"data": [{"embedding": [0.5]}] * count, "usage": {"prompt_tokens": _counted(str(texts))}})
    if request.document["stream"]:
        return Reply(stream.encode())
    is_chat = request.path == "/v1/chat/completions"
    text = request.document["messages"][-1]["content"] if is_chat else request.document["prompt"]
    choice: dict[str, Any] = {"message": {"content": "ab"}} if is_chat else {"text": "ab"}
    return json_reply({"choices": [choice], "usage": USAGE | {"prompt_tokens": _counted(text)}})


def _counted(text: str) -> int:
    return TEMPLATE_TOKENS + TOKENS_A_WORD * len(text.split())


def _loads(server: Running) -> list[Request]:
    """What was sent but for the two prompts before the load that ask what a word costs."""
    return [one for one in server.posts if one.document.get("max_tokens") != 1][-60:]


@contextmanager
def _tiny() -> Iterator[Running]:
    with serving(_answer) as server:
        yield server


def _tokens(loaded: Loaded) -> Any:
    assert {} == loaded.failures
    return loaded.run["summary"]["tokens"]


def test_made_prompts_are_put_as_chats_to_the_only_model(tmp_path: Path) -> None:
    with _tiny() as server:
        loaded = load(server.url, tmp_path / "x", *CHAT, "--prompt-tokens", "uniform:10-30", "--output-tokens", "16")
    assert (60, 4.0) == (_tokens(loaded)["streamed"], _tokens(loaded)["output_tokens"]["mean"]["value"])
    assert ("openai-chat", "tiny") == (loaded.run["requested"]["protocol"], loaded.run["requested"]["model"])
    asked = [one.document for one in _loads(server)]
    assert {("tiny", 16, True)} == {(one["model"], one["max_tokens"], one["stream"]) for one in asked}
    texts = [one["messages"][0]["content"] for one in asked]
    assert 60 == len(set(texts))
    assert all(10 <= _counted(text) <= 30 for text in texts)
    assert {"/v1/chat/completions"} == {one.path for one in server.posts}


def test_prompts_have_the_length_that_was_asked_in_the_servers_own_tokens(tmp_path: Path) -> None:
    with _tiny() as server:
        loaded = load(server.url, tmp_path / "x", "--protocol", "openai-embeddings", "--prompt-tokens", "40")
    assert (40.0, 40.0) == (
        _tokens(loaded)["input_tokens"]["least"], _tokens(loaded)["input_tokens"]["largest"],
    )  # fmt: skip
    cost = loaded.run["requested"]["prompting"]["word_cost"]
    assert {"tokens_a_word": TOKENS_A_WORD, "tokens_beside": TEMPLATE_TOKENS} == cost
    assert 62 == len(server.posts)


def test_words_stand_for_tokens_where_the_server_does_not_count(tmp_path: Path) -> None:
    def uncounted(request: Request) -> Reply:
        return json_reply({"data": [{"embedding": [0.5]}]})

    with serving(uncounted) as server:
        options = ("--protocol", "openai-embeddings", "--model", "tiny", "--prompt-tokens", "40")
        loaded = load(server.url, tmp_path / "x", *options)
    assert {40} == {len(one.document["input"].split()) for one in server.posts[2:]}
    assert any("each in place of a token" in note for note in loaded.run["verdict"]["notes"])


def test_the_options_reach_the_body(tmp_path: Path) -> None:
    options = (
        "--system", "be brief", "--temperature", "0", "--ignore-eos", "--token-limit", "max_completion_tokens",
        "--body", '{"top_p": 0.9, "stream_options": null}',
    )  # fmt: skip
    with _tiny() as server:
        load(server.url, tmp_path / "x", *CHAT, *options)
    body = server.posts[-1].document
    assert {"role": "system", "content": "be brief"} == body["messages"][0]
    assert (64, 64, True, 0.0, 0.9) == (
        body["max_completion_tokens"], body["min_tokens"], body["ignore_eos"], body["temperature"], body["top_p"],
    )  # fmt: skip
    assert body.keys().isdisjoint({"stream_options", "max_tokens"})


def test_a_base_url_that_ends_with_the_version_is_taken_as_clients_take_it(tmp_path: Path) -> None:
    with _tiny() as server:
        loaded = load(f"{server.url}/v1", tmp_path / "x", "--protocol", "openai-completions", "--no-stream")
    assert (0, 4.0) == (_tokens(loaded)["streamed"], _tokens(loaded)["output_tokens"]["mean"]["value"])
    assert {"/v1/completions"} == {one.path for one in server.posts}
    assert isinstance(server.posts[0].document["prompt"], str)


def test_prompts_of_a_file_are_sent_in_turn(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    messages = [{"role": "user", "content": "bye"}]
    path.write_text(json.dumps({"prompt": "hello", "max_tokens": 3}) + "\n" + json.dumps({"messages": messages}))
    with _tiny() as server:
        loaded = load(server.url, tmp_path / "x", *CHAT, "--prompts", str(path))
    asked = [one.document for one in _loads(server)]
    assert 30 == sum(one["messages"] == messages and "max_tokens" not in one for one in asked)
    assert 30 == sum(one["messages"][0]["content"] == "hello" and one["max_tokens"] == 3 for one in asked)
    assert any("2 different prompts came again" in note for note in loaded.run["verdict"]["notes"])


def test_texts_are_embedded_in_batches(tmp_path: Path) -> None:
    with _tiny() as server:
        loaded = load(server.url, tmp_path / "x", "--protocol", "openai-embeddings", "--rows", "1:0.5,4:0.5")
    tokens = _tokens(loaded)
    assert (64.0, None) == (tokens["input_tokens"]["least"], tokens["output_tokens"]["mean"])
    sizes = [1 if isinstance(one.document["input"], str) else len(one.document["input"]) for one in _loads(server)]
    assert {1: 30, 4: 30} == {size: sizes.count(size) for size in set(sizes)}


def test_what_is_no_good_stream_is_a_failure_of_its_kind(tmp_path: Path) -> None:
    error = 'data: {"error": {"message": "no memory", "code": 503}}\n\n'
    whole = '{"choices": [{"message": {"content": "ab"}}]}'
    bad = itertools.cycle((_chunk("a"), error, _chunk("a") + "data: {\n\n", whole))
    with serving(lambda request: _answer(request, next(bad) if request.method == "POST" else "")) as server:
        path = tmp_path / "prompts.txt"
        path.write_text("hello")
        loaded = load(server.url, tmp_path / "x", *CHAT, "--prompts", str(path))
    assert {"stream_cut": 15, "http_503": 15, "malformed": 30} == loaded.failures


def test_the_stamps_are_those_of_the_server(tmp_path: Path) -> None:
    with token_streamer(Streaming(first_token_ns=20_000_000, gap_ns=4_000_000, role_first=True)) as streamer:
        slo = "ttft_p50<1s, itl_p50<1s, tpot_p50<1s, tokens_per_s>1"
        loaded = load(streamer.url, tmp_path / "x", *CHAT, "--output-tokens", "5", "--slo", slo)
        truth = streamer.truth()
    assert (60, 300, 300) == (_tokens(loaded)["streamed"], _tokens(loaded)["pieces"], len(truth.moments_ns))
    assert 60 == _tokens(loaded)["counted"]
    # Whatever the machine does meanwhile, no token can have come before it was sent.
    run, requests = read_run(tmp_path / "x")
    tokens = read_tokens(tmp_path / "x")
    assert 300 == len(tokens)
    assert (requests["first_token_ns"] - requests["sent_ns"] >= 20_000_000).all()
    assert (requests["last_token_ns"] - requests["first_token_ns"] >= 0).all()
    assert requests["first_token_ns"].tolist() == tokens["moment_ns"][::5].tolist()
    assert (np.diff(tokens["number"]) >= 0).all()
    assert ["ttft_p50<1s", "itl_p50<1s", "tpot_p50<1s", "tokens_per_s>1"] == [
        one["objective"] for one in loaded.run["verdict"]["objectives"]
    ]
    assert run.requested.prompting is not None
    for report in (stored_text(tmp_path / "x"), stored_markdown(tmp_path / "x"), page_of(tmp_path / "x")):
        assert "first token" in report


def test_streams_that_end_early_are_told_apart_from_connections_that_do(tmp_path: Path) -> None:
    with token_streamer(Streaming(first_token_ns=0, gap_ns=0, unfinished_every=3, cut_every=5)) as streamer:
        load(streamer.url, tmp_path / "x", *CHAT, "--output-tokens", "4")
        truth = streamer.truth()
    _, requests = read_run(tmp_path / "x")
    fates = np.bincount(truth.answers["fate"][truth.answers["tokens"] > 0], minlength=5)
    outcomes = [
        int((requests["outcome"] == one).sum()) for one in (Outcome.OK, Outcome.DISCONNECTED, Outcome.STREAM_CUT)
    ]
    assert fates[:3].tolist() == outcomes
    assert all(outcomes)


@pytest.mark.parametrize(
    ("options", "told"),
    (
        ((*CHAT, "--rows", "4"), "holds one prompt"),
        ((*CHAT, "--data", "rows.csv"), "--prompts FILE"),
        ((*CHAT, "--prompts", "nowhere.txt"), "nowhere.txt"),
        ((*CHAT, "--prompts", "a.txt", "--prompt-tokens", "9"), "either read or made"),
        ((*CHAT, "--prompt-tokens", "many"), "not a length in tokens"),
        ((*CHAT, "--body", "{"), "is not JSON"),
        ((*CHAT, "--body", "[]"), "is not an object"),
        ((*CHAT, "--body", '{"stream": false}'), "--body sets stream"),
        ((*CHAT, "--expected", "server"), "expected"),
        ((*CHAT, "--no-stream", "--slo", "ttft_p99<1s"), "in one piece"),
        (("--protocol", "openai-completions", "--system", "x"), "only a chat has a system message"),
        (("--protocol", "openai-embeddings", "--output-tokens", "9"), "vectors have no length"),
        (("--protocol", "openai-embeddings", "--slo", "ttft_p99<1s"), "only a language model's answers"),
        (("--protocol", "oip", "--prompt-tokens", "9"), "takes no prompts"),
        (("--protocol", "null", "--slo", "itl_p99<1s"), "only a language model's answers"),
    ),
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    with _tiny() as server:
        url = "null:" if "null" in options else server.url
        loaded = load(url, tmp_path / "x", *options)
        assert 2 == loaded.code
        assert told in loaded.said
        assert not server.posts


def test_a_server_that_lists_several_models_or_none_needs_a_name(tmp_path: Path) -> None:
    with serving(lambda _: json_reply({"data": [{"id": "b"}, {"id": "a"}]})) as server:
        loaded = load(server.url, tmp_path / "x", *CHAT)
        assert (2, True) == (loaded.code, "lists 2 models: a, b" in loaded.said)
    with serving(lambda _: Reply(b"", 401)) as server:
        loaded = load(server.url, tmp_path / "y", *CHAT)
        assert (5, True) == (loaded.code, "--bearer-file" in loaded.said)
    with _tiny() as server:
        load(server.url, tmp_path / "z", *CHAT, "--model", "other")
        assert {"other"} == {one.document["model"] for one in server.posts}
        assert {"POST"} == {one.method for one in server.seen if one.path.startswith("/v1")}
