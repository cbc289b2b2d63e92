import json
from collections.abc import Callable

import pytest
from tests.api.load.questions.servers import Reply, Request, json_reply, serving

from modeldyno.api.load.questions.word_cost import ask_word_cost
from modeldyno.errors import TargetError
from modeldyno.loadgen.caller import Caller
from modeldyno.records.prompting import WordCost
from modeldyno.wire.openai import Generation

GENERATION = Generation(model="tiny", ignore_eos=True, system="be brief")


def _ask(answer: Callable[[Request], Reply]) -> tuple[WordCost | None, list[Request]]:
    with serving(answer) as server:
        return ask_word_cost(Caller(server.url), "/v1/completions", "completions", GENERATION), server.posts


def _counting(count: Callable[[int], int | None]) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        words = len(request.document["prompt"].split())
        return json_reply({"choices": [{"text": "a"}], "usage": {"prompt_tokens": count(words)}})

    return answer


def test_slope_and_intercept_are_those_of_the_server() -> None:
    cost, asked = _ask(_counting(lambda words: 12 + words * 5 // 4))
    assert WordCost(tokens_a_word=1.25, tokens_beside=12.0) == cost
    for one in asked:
        body = json.loads(one.body)
        assert (1, False) == (body["max_tokens"], body["stream"])
        assert "ignore_eos" not in body


def test_words_for_a_number_of_tokens_are_at_least_one() -> None:
    cost = WordCost(tokens_a_word=1.25, tokens_beside=12.0)
    assert (70, 1, 1) == (cost.words_for(100), cost.words_for(12), cost.words_for(1))


@pytest.mark.parametrize(
    "answer",
    (
        _counting(lambda _: None),
        _counting(lambda _: 7),
        _counting(lambda words: 200 - words),
        lambda _: Reply(b"", 500),
        lambda _: Reply(b"<html>"),
        lambda _: json_reply({"error": {"message": "no", "code": 503}}),
    ),
)
def test_a_server_that_does_not_count_or_not_answer_tells_no_cost(answer: Callable[[Request], Reply]) -> None:
    assert _ask(answer)[0] is None


def test_a_server_that_is_gone_is_an_error() -> None:
    with serving(_counting(lambda _: 7)) as server:
        url = server.url
    with pytest.raises(TargetError):
        ask_word_cost(Caller(url), "/v1/completions", "completions", GENERATION)
